/* recorded_set.h - the content of a set whose source is "record:". */
#ifndef GLIA_ACTORS_SWEEP_RECORDED_SET_H
#define GLIA_ACTORS_SWEEP_RECORDED_SET_H

#include "actors/sweep/settings.h"
#include "store/records.h"

/* Fills in *content (records_set_clear) from the recording settings->subject.recording: all of its
 * neurons, or those that sets.NAME.neurons names. Not recorded yet: an error (CONFIG), or no
 * content if that is allowed, for a plan. */
bool recorded_set_fix(store_txn_t *txn, const settings_t *settings, const set_settings_t *set,
                      bool allow_unrecorded, record_set_t *content, error_info_t *error);

#endif
