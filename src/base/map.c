/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing, at most three quarters full. Removal shifts the following
 * entries back, so there are no tombstones and a look-up stops at the first empty slot.
 */
#include "base/map.h"

#include <sodium.h>
#include <string.h>

enum { FIRST_SLOTS = 16 };

struct entry {
    char *key; /* our copy; NULL: the slot is empty */
    size_t key_size;
    uint64_t hash;
    void *value;
};

struct lb_map {
    const struct lb_host *host;
    struct entry *slots;
    size_t slot_count; /* a power of two */
    size_t count;
    size_t max_count;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
};

struct lb_map *lb_map_new(const struct lb_host *host, size_t max_count)
{
    struct lb_map *map = lb_calloc(host, 1, sizeof *map);

    if (map == NULL)
        return NULL;
    map->host = host;
    map->max_count = max_count;
    map->slot_count = FIRST_SLOTS;
    map->slots = lb_calloc(host, FIRST_SLOTS, sizeof *map->slots);
    if (map->slots == NULL) {
        lb_free(host, map);
        return NULL;
    }
    randombytes_buf(map->hash_key, sizeof map->hash_key);
    return map;
}

void lb_map_free(struct lb_map *map)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < map->slot_count; i++)
        lb_free(map->host, map->slots[i].key);
    lb_free(map->host, map->slots);
    lb_free(map->host, map);
}

static uint64_t hash_of(const struct lb_map *map, struct lb_str key)
{
    uint64_t hash;

    crypto_shorthash((unsigned char *)&hash,
                     key.size != 0 ? (const unsigned char *)key.p : (const unsigned char *)"",
                     key.size, map->hash_key);
    return hash;
}

/* The slot that holds `key`, or the empty one where it belongs. */
static struct entry *slot_of(const struct lb_map *map, struct lb_str key, uint64_t hash)
{
    size_t mask = map->slot_count - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct entry *entry = &map->slots[i];
        if (entry->key == NULL)
            return entry;
        if (entry->hash == hash && lb_str_eq(lb_str(entry->key, entry->key_size), key))
            return entry;
    }
}

void *lb_map_get(const struct lb_map *map, struct lb_str key)
{
    return slot_of(map, key, hash_of(map, key))->value;
}

static llmgr_status double_slots(struct lb_map *map)
{
    struct lb_map wider = *map;

    wider.slot_count = map->slot_count * 2;
    wider.slots = lb_calloc(map->host, wider.slot_count, sizeof *wider.slots);
    if (wider.slots == NULL)
        return LLMGR_ERR_NO_MEMORY;
    for (size_t i = 0; i < map->slot_count; i++) {
        const struct entry *entry = &map->slots[i];
        if (entry->key != NULL)
            *slot_of(&wider, lb_str(entry->key, entry->key_size), entry->hash) = *entry;
    }
    lb_free(map->host, map->slots);
    map->slots = wider.slots;
    map->slot_count = wider.slot_count;
    return LLMGR_OK;
}

llmgr_status lb_map_put(struct lb_map *map, struct lb_str key, void *value, void **old)
{
    uint64_t hash = hash_of(map, key);
    struct entry *entry = slot_of(map, key, hash);

    if (entry->key != NULL) {
        if (old != NULL)
            *old = entry->value;
        entry->value = value;
        return LLMGR_OK;
    }
    if (map->count >= map->max_count)
        return LLMGR_ERR_TOO_LARGE;
    if ((map->count + 1) * 4 > map->slot_count * 3) {
        llmgr_status status = double_slots(map);
        if (status != LLMGR_OK)
            return status;
        entry = slot_of(map, key, hash);
    }
    char *copy = lb_strndup(map->host, key.p, key.size);
    if (copy == NULL)
        return LLMGR_ERR_NO_MEMORY;
    *entry = (struct entry){copy, key.size, hash, value};
    map->count++;
    if (old != NULL)
        *old = NULL;
    return LLMGR_OK;
}

/* Moves later entries of the run into the hole, where their probe would find them. */
static void close_hole(struct lb_map *map, size_t hole)
{
    size_t mask = map->slot_count - 1;

    for (size_t i = (hole + 1) & mask; map->slots[i].key != NULL; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct entry){0};
}

void *lb_map_remove(struct lb_map *map, struct lb_str key)
{
    struct entry *entry = slot_of(map, key, hash_of(map, key));

    if (entry->key == NULL)
        return NULL;
    void *value = entry->value;
    lb_free(map->host, entry->key);
    close_hole(map, (size_t)(entry - map->slots));
    map->count--;
    return value;
}

size_t lb_map_count(const struct lb_map *map)
{
    return map->count;
}

bool lb_map_next(const struct lb_map *map, size_t *at, struct lb_str *key, void **value)
{
    for (; *at < map->slot_count; (*at)++) {
        const struct entry *entry = &map->slots[*at];
        if (entry->key != NULL) {
            *key = lb_str(entry->key, entry->key_size);
            *value = entry->value;
            (*at)++;
            return true;
        }
    }
    return false;
}
