/* SPDX-License-Identifier: MIT */
/*
 * The bounded cache of profiles. See cache.h for the picture.
 *
 * A slot's tag is the upper half of the hash; its home is tag * slot_count / 2^32, so slots are
 * sorted by tag up to collisions, the table can have any size, and growing is one pass forward
 * that never looks at a profile. Collisions go to the next slot; removing shifts back.
 */
#include "resolve/cache.h"

#include <stdalign.h>
#include <string.h>

#include "resolve/profile.h"

enum {
    UNIT = 8,              /* bytes; blocks and offsets are multiples */
    CHUNK_MAX = 64 * 1024, /* bytes of an ordinary chunk */
    CHUNK_MIN = 2048,
    CHUNKS_PER_LIMIT = 8,
    OFFSET_BITS = 13, /* CHUNK_MAX / UNIT */
    SLOTS_MIN = 16,
    CACHE_LINE = 64,
    PREFETCH_LINES = 5,
};

#define NO_REF UINT32_MAX
#define NO_CHUNK UINT32_MAX

struct slot {
    uint32_t tag;
    uint32_t ref; /* NO_REF: empty */
};

struct chunk {
    uint32_t size; /* of bytes[] */
    uint32_t used;
    alignas(8) unsigned char bytes[];
};

struct lr_cache {
    const struct lb_host *host;
    size_t limit;
    size_t bytes; /* slots and chunks */
    struct slot *slots;
    struct chunk **chunks; /* NULL where one was freed */
    uint32_t slot_count;
    uint32_t count;
    uint32_t chunk_size;
    uint32_t chunk_count; /* entries of chunks[] in use, holes included */
    uint32_t chunk_room;  /* entries of chunks[] */
    uint32_t head;        /* the chunk being filled, or NO_CHUNK */
    uint32_t hand;        /* the chunk looked at next when room is short */
};

/* ---- Life ------------------------------------------------------------------------------------ */

struct lr_cache *lr_cache_new(const struct lb_host *host, size_t limit)
{
    struct lr_cache *cache = lb_calloc(host, 1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    cache->host = host;
    cache->limit = limit > LR_CACHE_MIN ? limit : LR_CACHE_MIN;
    size_t share = cache->limit / CHUNKS_PER_LIMIT / UNIT * UNIT;
    cache->chunk_size = share < CHUNK_MAX ? (uint32_t)share : CHUNK_MAX;
    if (cache->chunk_size < CHUNK_MIN)
        cache->chunk_size = CHUNK_MIN;
    cache->head = NO_CHUNK;
    return cache;
}

void lr_cache_free(struct lr_cache *cache)
{
    if (cache == NULL)
        return;
    lr_cache_drop_all(cache);
    lb_free(cache->host, cache->chunks);
    lb_free(cache->host, cache);
}

static void free_chunk(struct lr_cache *cache, uint32_t at)
{
    struct chunk *chunk = cache->chunks[at];

    if (chunk == NULL)
        return;
    cache->bytes -= sizeof *chunk + chunk->size;
    cache->chunks[at] = NULL;
    if (cache->head == at)
        cache->head = NO_CHUNK;
    lb_free(cache->host, chunk);
}

void lr_cache_drop_all(struct lr_cache *cache)
{
    for (uint32_t i = 0; i < cache->chunk_count; i++)
        free_chunk(cache, i);
    lb_free(cache->host, cache->slots);
    cache->slots = NULL;
    cache->slot_count = 0;
    cache->count = 0;
    cache->chunk_count = 0;
    cache->hand = 0;
    cache->bytes = 0;
}

size_t lr_cache_count(const struct lr_cache *cache)
{
    return cache->count;
}

size_t lr_cache_bytes(const struct lr_cache *cache)
{
    return cache->bytes;
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint32_t home_of(uint32_t tag, uint32_t slot_count)
{
    return (uint32_t)(((uint64_t)tag * slot_count) >> 32);
}

static uint32_t next_slot(const struct lr_cache *cache, uint32_t at)
{
    return at + 1 < cache->slot_count ? at + 1 : 0;
}

static struct lr_profile *profile_at(const struct lr_cache *cache, uint32_t ref)
{
    struct chunk *chunk = cache->chunks[ref >> OFFSET_BITS];

    return (void *)(chunk->bytes + (size_t)(ref & ((1U << OFFSET_BITS) - 1)) * UNIT);
}

static void insert_slot(struct slot *slots, uint32_t slot_count, struct slot slot)
{
    uint32_t at = home_of(slot.tag, slot_count);

    while (slots[at].ref != NO_REF)
        at = at + 1 < slot_count ? at + 1 : 0;
    slots[at] = slot;
}

/* Keeps the table at most 7/8 full; grows by half, so that it is never less than 7/12 full. */
static bool grow_slots(struct lr_cache *cache)
{
    if (cache->slot_count != 0 && cache->count + 1 <= cache->slot_count / 8 * 7)
        return true;
    uint32_t wanted = cache->slot_count + cache->slot_count / 2;
    if (wanted < SLOTS_MIN)
        wanted = SLOTS_MIN;
    struct slot *slots = lb_alloc(cache->host, (size_t)wanted * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots, 0xff, (size_t)wanted * sizeof *slots);
    for (uint32_t i = 0; i < cache->slot_count; i++) {
        if (cache->slots[i].ref != NO_REF)
            insert_slot(slots, wanted, cache->slots[i]);
    }
    lb_free(cache->host, cache->slots);
    cache->bytes += (size_t)(wanted - cache->slot_count) * sizeof *slots;
    cache->slots = slots;
    cache->slot_count = wanted;
    return true;
}

/* Empties a slot and shifts back what collided with it. */
static void remove_slot(struct lr_cache *cache, uint32_t at)
{
    uint32_t hole = at;

    for (;;) {
        at = next_slot(cache, at);
        if (cache->slots[at].ref == NO_REF)
            break;
        uint32_t home = home_of(cache->slots[at].tag, cache->slot_count);
        /* Can the entry stand in the hole, which lies (going round) between its home and it? */
        bool between = hole <= at ? home <= hole || home > at : home <= hole && home > at;
        if (between) {
            cache->slots[hole] = cache->slots[at];
            hole = at;
        }
    }
    cache->slots[hole].ref = NO_REF;
    cache->count--;
}

/* The slot that refers to a block that is alive. */
static uint32_t slot_of(const struct lr_cache *cache, uint64_t hash, uint32_t ref)
{
    uint32_t at = home_of(tag_of(hash), cache->slot_count);

    while (cache->slots[at].ref != ref)
        at = next_slot(cache, at);
    return at;
}

/* ---- Room ------------------------------------------------------------------------------------ */

/* Adds a chunk of `size` bytes; NO_CHUNK when memory is short. */
static uint32_t add_chunk(struct lr_cache *cache, uint32_t size)
{
    uint32_t at = 0;

    while (at < cache->chunk_count && cache->chunks[at] != NULL)
        at++;
    if (at == cache->chunk_room) {
        uint32_t room = cache->chunk_room != 0 ? cache->chunk_room * 2 : 16;
        if (room > 1U << (32 - OFFSET_BITS))
            return NO_CHUNK;
        struct chunk **chunks = lb_realloc_array(cache->host, cache->chunks, room, sizeof *chunks);
        if (chunks == NULL)
            return NO_CHUNK;
        cache->chunks = chunks;
        cache->chunk_room = room;
    }
    struct chunk *chunk = lb_alloc(cache->host, sizeof *chunk + size);
    if (chunk == NULL)
        return NO_CHUNK;
    chunk->size = size;
    chunk->used = 0;
    cache->chunks[at] = chunk;
    if (at == cache->chunk_count)
        cache->chunk_count++;
    cache->bytes += sizeof *chunk + size;
    return at;
}

/* Second chance: keeps, at the chunk's start, what was asked for; at most half of the chunk. */
static void reclaim_chunk(struct lr_cache *cache, uint32_t at)
{
    struct chunk *chunk = cache->chunks[at];
    uint32_t kept = 0;

    for (uint32_t from = 0; from < chunk->used;) {
        struct lr_profile *profile = (void *)(chunk->bytes + from);
        uint32_t size = profile->size;
        uint32_t ref = at << OFFSET_BITS | from / UNIT;
        if (!profile->dead) {
            uint32_t slot = slot_of(cache, profile->hash, ref);
            if (profile->used && kept + size <= chunk->size / 2) {
                profile->used = 0;
                lr_profile_copy(chunk->bytes + kept, profile);
                cache->slots[slot].ref = at << OFFSET_BITS | kept / UNIT;
                kept += size;
            } else {
                remove_slot(cache, slot);
            }
        }
        from += size;
    }
    chunk->used = kept;
}

static bool has_room(const struct lr_cache *cache, uint32_t size)
{
    if (cache->head == NO_CHUNK)
        return false;
    const struct chunk *head = cache->chunks[cache->head];
    return head->used + size <= head->size;
}

/* Moves the hand over one chunk, which may become the head. */
static void turn_hand(struct lr_cache *cache)
{
    uint32_t at = cache->hand < cache->chunk_count ? cache->hand : 0;

    cache->hand = at + 1;
    if (cache->chunks[at] == NULL)
        return;
    reclaim_chunk(cache, at);
    if (cache->chunks[at]->size != cache->chunk_size) {
        if (cache->chunks[at]->used == 0)
            free_chunk(cache, at);
        return;
    }
    cache->head = at;
}

/* A profile larger than a quarter of a chunk has a chunk of its own, exactly as large. */
static bool make_room(struct lr_cache *cache, uint32_t size)
{
    bool own = size > cache->chunk_size / 4;
    uint32_t wanted = own ? size : cache->chunk_size;

    if (!own && has_room(cache, size))
        return true;
    /* Twice round: the first takes the second chances away. */
    for (uint32_t turns = 0; turns <= 3 * cache->chunk_count; turns++) {
        if (cache->bytes + sizeof(struct chunk) + wanted <= cache->limit) {
            cache->head = add_chunk(cache, wanted);
            return cache->head != NO_CHUNK;
        }
        turn_hand(cache);
        if (!own && has_room(cache, size))
            return true;
        if (own && cache->head != NO_CHUNK && cache->chunks[cache->head]->used == 0)
            free_chunk(cache, cache->head);
    }
    return false;
}

/* ---- The face -------------------------------------------------------------------------------- */

/* An ordinary profile's lines are fetched at once, not one by one as they are read. */
static void fetch_lines(const struct lr_profile *profile)
{
    for (int line = 0; line < PREFETCH_LINES; line++)
        __builtin_prefetch((const char *)profile + line * CACHE_LINE);
}

void lr_cache_hint_slot(const struct lr_cache *cache, uint64_t hash)
{
    if (cache->slot_count != 0)
        __builtin_prefetch(&cache->slots[home_of(tag_of(hash), cache->slot_count)]);
}

void lr_cache_hint_profile(const struct lr_cache *cache, uint64_t hash)
{
    uint32_t tag = tag_of(hash);

    if (cache->slot_count == 0)
        return;
    for (uint32_t at = home_of(tag, cache->slot_count); cache->slots[at].ref != NO_REF;
         at = next_slot(cache, at)) {
        if (cache->slots[at].tag == tag) {
            fetch_lines(profile_at(cache, cache->slots[at].ref));
            return;
        }
    }
}

struct lr_profile *lr_cache_get(struct lr_cache *cache, uint64_t hash, struct lb_str user)
{
    uint32_t tag = tag_of(hash);

    if (cache->slot_count == 0)
        return NULL;
    for (uint32_t at = home_of(tag, cache->slot_count); cache->slots[at].ref != NO_REF;
         at = next_slot(cache, at)) {
        if (cache->slots[at].tag != tag)
            continue;
        struct lr_profile *profile = profile_at(cache, cache->slots[at].ref);
        fetch_lines(profile);
        if (profile->hash == hash && lb_str_eq(lr_profile_user(profile), user)) {
            if (!profile->used)
                profile->used = 1;
            return profile;
        }
    }
    return NULL;
}

void lr_cache_drop(struct lr_cache *cache, uint64_t hash)
{
    uint32_t tag = tag_of(hash);

    if (cache->slot_count == 0)
        return;
    uint32_t at = home_of(tag, cache->slot_count);
    while (cache->slots[at].ref != NO_REF) {
        struct lr_profile *profile =
            cache->slots[at].tag == tag ? profile_at(cache, cache->slots[at].ref) : NULL;
        if (profile != NULL && profile->hash == hash) {
            profile->dead = 1;
            remove_slot(cache, at); /* may put another entry here: look again */
        } else {
            at = next_slot(cache, at);
        }
    }
}

bool lr_cache_put(struct lr_cache *cache, const struct lr_profile *profile)
{
    lr_cache_drop(cache, profile->hash);
    if (profile->size > cache->limit / 4)
        return false;
    if (!grow_slots(cache) || !make_room(cache, profile->size))
        return false;
    struct chunk *chunk = cache->chunks[cache->head];
    struct slot slot = {tag_of(profile->hash), cache->head << OFFSET_BITS | chunk->used / UNIT};
    struct lr_profile *kept = lr_profile_copy(chunk->bytes + chunk->used, profile);
    kept->used = 0;
    kept->dead = 0;
    chunk->used += profile->size;
    insert_slot(cache->slots, cache->slot_count, slot);
    cache->count++;
    return true;
}
