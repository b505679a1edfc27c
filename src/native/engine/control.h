/* The control stream: 16-byte messages between the intake and its engine. Layout in docs/PROTOCOL.md, section 5. */
#pragma once

#include "engine/engine-process.h"

/* Handles what the engine has sent. An engine that sends anything invalid is killed. */
void control_read(struct engine *engine, struct holdings *holdings, u64 now_ms);
/* Notifies the engine of new frames, unless it has not answered the last notification. */
void control_notify(struct engine *engine, struct queue *queue, u64 now_ms);
/* Asks the engine to handle what is there and to exit. */
void control_stop(struct engine *engine, struct queue *queue);
/* Asks the engine to have all readers kept that it has accepted, and waits for its answer, KEEP_MS at most. */
void control_hand_over(struct engine *engine, struct holdings *holdings, u64 now_ms);
