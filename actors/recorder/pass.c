/* pass.c - slots, and the order in which what they hold is merged. */
#include "actors/recorder/pass.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/memory.h"

void pass_create(pass_t *pass, size_t slot_count, size_t batch) {
    assert(slot_count > 0 && batch > 0);
    *pass = (pass_t){
        .batch = batch, .slot_count = slot_count, .slots = MEMORY_NEW_ARRAY(slot_count, slot_t)};
}

void pass_clear(pass_t *pass) {
    free(pass->slots);
    *pass = (pass_t){0};
}

void pass_start(pass_t *pass, bool second, const uint32_t *list, size_t count, size_t merged) {
    assert(merged <= count && pass_running(pass) + pass_merging(pass) == 0);
    pass->second = second;
    pass->list = list;
    pass->count = count;
    pass->next = pass->merged = merged;
    pass->next_batch = pass->next_merge = 0;
}

slot_t *pass_take(pass_t *pass) {
    slot_t *slot = pass->slots, *end = pass->slots + pass->slot_count;
    while (slot < end && slot->state != SLOT_FREE)
        slot++;
    if (slot == end || !pass_has_more(pass))
        return NULL;
    size_t left = pass->count - pass->next;
    *slot = (slot_t){
        .state = SLOT_RUNNING,
        .number = pass->next_batch++,
        .excerpts = pass->list + pass->next,
        .count = left < pass->batch ? left : pass->batch,
    };
    pass->next += slot->count;
    return slot;
}

void pass_ran(slot_t *slot, bool good) {
    assert(slot->state == SLOT_RUNNING);
    slot->state = good ? SLOT_READY : SLOT_FAILED;
}

/* One at a time without more ado: the next in order is that one until it is merged. */
slot_t *pass_take_merge(pass_t *pass) {
    for (size_t i = 0; i < pass->slot_count; i++) {
        slot_t *slot = &pass->slots[i];
        if (slot->state == SLOT_READY && slot->number == pass->next_merge) {
            slot->state = SLOT_MERGING;
            return slot;
        }
    }
    return NULL;
}

void pass_merged(pass_t *pass, slot_t *slot) {
    assert(slot->state == SLOT_MERGING && slot->number == pass->next_merge);
    pass->next_merge++;
    pass->merged += slot->count;
    slot->state = SLOT_FREE;
}

bool pass_has_more(const pass_t *pass) {
    return pass->next < pass->count;
}

static size_t count_of(const pass_t *pass, slot_state_t state) {
    size_t count = 0;
    for (size_t i = 0; i < pass->slot_count; i++)
        count += pass->slots[i].state == state;
    return count;
}

size_t pass_running(const pass_t *pass) {
    return count_of(pass, SLOT_RUNNING);
}

size_t pass_merging(const pass_t *pass) {
    return count_of(pass, SLOT_MERGING);
}

static const char *slot_broken(const pass_t *pass, const slot_t *slot) {
    if (slot->number < pass->next_merge || slot->number >= pass->next_batch)
        return "a slot's batch was merged, or never taken";
    if (slot->state == SLOT_MERGING && slot->number != pass->next_merge)
        return "a batch is merged out of order";
    for (const slot_t *other = pass->slots; other < slot; other++)
        if (other->state != SLOT_FREE && other->number == slot->number)
            return "two slots have one batch";
    /* Batches follow each other without a gap, so that their excerpts are where their number says.
     */
    size_t from = (size_t)(slot->excerpts - pass->list);
    if (from != pass->merged + (size_t)(slot->number - pass->next_merge) * pass->batch)
        return "a batch has the excerpts of another";
    if (slot->count != (pass->count - from < pass->batch ? pass->count - from : pass->batch))
        return "a batch has another shape";
    return NULL;
}

const char *pass_broken(const pass_t *pass) {
    size_t held = 0;
    for (size_t i = 0; i < pass->slot_count; i++) {
        const slot_t *slot = &pass->slots[i];
        const char *what = slot->state == SLOT_FREE ? NULL : slot_broken(pass, slot);
        if (what)
            return what;
        held += slot->state == SLOT_FREE ? 0 : slot->count;
    }
    if (pass->next > pass->count || pass->merged + held != pass->next)
        return "excerpts were taken, and are neither merged nor in a slot";
    return NULL;
}
