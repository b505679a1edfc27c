/* The first thing that runs in the executable: which program this process is to be. */
#pragma once

#include "start/config.h"

/* Does the applet's work and exits. Returns, with everything unchanged, if the name is not one of an applet in C. */
void front(int count, char **args, char **environment, const char *path);
