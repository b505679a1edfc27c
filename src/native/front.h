/* The first thing that runs in the executable. */
#pragma once

#include "config.h"

/* Does the applet's work and exits; returns, with everything as it was, if the name is not one of ours. */
void front(int count, char **args, char **environment, const char *path);
