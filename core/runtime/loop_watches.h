/* loop_watches.h - file descriptors on an epoll set of their own; private to loop.c.
 *
 * libuv's uv_poll_start takes a descriptor out of the kernel's set and puts it back at every
 * change: five system calls for an exchange on a kept connection. Here a change is only noted, and
 * what it comes to is told to the kernel once, before the loop waits; for most exchanges that is
 * nothing. What a watch is: loop.h.
 */
#ifndef GLIA_RUNTIME_LOOP_WATCHES_H
#define GLIA_RUNTIME_LOOP_WATCHES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/runtime/loop.h"

typedef struct watches watches_t;

/* `hold` is called when the first watch is set and when none is set any more. NULL: no
 * descriptor left. */
watches_t *watches_create(void (*hold)(void *context, bool active), void *context);
void watches_free(watches_t *watches);
/* Readable when watches_dispatch has something to do. */
int watches_descriptor(const watches_t *watches);

loop_watch_t *watches_add(watches_t *watches, int fd, loop_watch_fire_t *fire, void *context);
void watches_set(loop_watch_t *watch, int events);
void watches_remove(loop_watch_t *watch);

/* Tells the kernel what has changed; to be called before waiting on the descriptor. */
void watches_apply(watches_t *watches);
/* Calls `fire` of what is ready, without waiting. */
void watches_dispatch(watches_t *watches);

#endif
