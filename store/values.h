/* values.h - the decoders of all stored values: for fsck, for the fuzzer and for tests. A module's
 * own are in its private header, which is what its files include.
 *
 * Each takes the bytes of a value and returns whether they are one that this program writes;
 * nothing there trusts a byte, and what is borrowed points into the value. After false, what was
 * filled in is not to be used, and nothing is to be freed.
 */
#ifndef GLIA_STORE_VALUES_H
#define GLIA_STORE_VALUES_H

#include "store/batch_lines_private.h"
#include "store/frame.h"
#include "store/journal_private.h"
#include "store/ledger_private.h"
#include "store/recordings_private.h"
#include "store/records_private.h"
#include "store/response_values.h"
#include "store/responses.h"
#include "store/runs_private.h"

#endif
