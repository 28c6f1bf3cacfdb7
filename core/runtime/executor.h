/* executor.h - the port for work that would hold up the loop: CPU, disk, BLAS, LMDB.
 *
 * Two implementations: threads that report to the loop (loop.h), and inline execution in seeded
 * order (the rehearsals). An executor with one thread runs its work strictly in order of
 * submission: that is how the archivist gets a thread of its own.
 */
#ifndef GLIA_RUNTIME_EXECUTOR_H
#define GLIA_RUNTIME_EXECUTOR_H

typedef struct executor executor_t;
typedef void executor_work_t(void *context); /* on a worker; touches nothing but `context` */
/* on the loop thread, exactly once, never inside submit */
typedef void executor_done_t(void *context);

/* What an implementation provides; it embeds this as its first member. */
struct executor {
    void (*submit)(executor_t *executor, executor_work_t *work, executor_done_t *done,
                   void *context);
};

/* Never fails and never blocks; callers bound what they have outstanding. `context` belongs to the
 * work until `done` is called. */
static inline void executor_submit(executor_t *executor, executor_work_t *work,
                                   executor_done_t *done, void *context) {
    executor->submit(executor, work, done, context);
}

#endif
