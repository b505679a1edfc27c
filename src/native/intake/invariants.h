/* What must hold after each turn of the loop. Only the hosted program checks it; the shipped blob does not. */
#pragma once

#include "engine/engine-process.h"

/* Ends the program with status 101 and one line if an invariant is broken. */
void check_invariants(const struct holdings *holdings, const struct engine *engine);
