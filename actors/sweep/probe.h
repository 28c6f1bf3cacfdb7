/* probe.h - does an endpoint have what a mode needs? Asked once, before work starts, with a request
 * like any other: reserved, settled, stored, reused.
 *
 * One probe for each (endpoint, model, kind) that the sweep will use: chat (explainers, repeat),
 * completions with echoed logprobs for every prompt token (echo), embeddings. It also unmasks a
 * stand-in that was configured under a real model's lineage.
 */
#ifndef GLIA_ACTORS_SWEEP_PROBE_H
#define GLIA_ACTORS_SWEEP_PROBE_H

#include "actors/sweep/job.h"

/* The probes that the settings call for, as a list by `next`; owned by the caller. */
job_t *probe_jobs(const settings_t *settings);

#endif
