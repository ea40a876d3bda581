/* SPDX-License-Identifier: MIT */
/*
 * The table of cells, for the files that make it up: health.c (life and faults), health_cell.c (one
 * cell's states, and where it lies), health_show.c (people, probes), health_share.c (other nodes).
 *
 * A cell lies in the set that its number chooses, in one of WAYS places. Anybody can work out ids
 * whose numbers are equal: a number finds places, the id alone says whose cell stands there. What a
 * request's way reads (number, id, end, probe) is atomic and read without a lock; the rest belongs
 * to who holds the set's.
 * A reader who meets a cell just as its place is given to another may heed the wrong one's end, for
 * that one request.
 */
#ifndef LO_HEALTH_INT_H
#define LO_HEALTH_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "routing/health.h"

enum {
    LO_WAYS = 8,
    LO_EVENTS = 32,     /* outcomes of a cell that are remembered */
    LO_LIMITED_MAX = 2, /* accounts of a platform that met a limit in a row; one more is too many */
    LO_LIMITED_MS = 10000, /* for so long */
    LO_TURNS = 1024        /* users whose last turn is remembered */
};

/* An outcome that counts: 8 bytes, for there are many. */
struct lo_event {
    uint32_t who; /* of the user's hash; the lowest bit: it failed */
    uint32_t at;  /* in 64 ms: comes round after 8 years */
};

/* The last moments of a cell that are known to other nodes, on the clock they share; 0: none. */
struct lo_told {
    int64_t changed_ms;
    int64_t closed_ms;
};

/* A struct lo_cell_id that is read without a lock, while another may be written. */
struct lo_cell_name {
    _Atomic uint64_t owner;
    _Atomic uint64_t item;
    _Atomic int64_t platform_id;
    _Atomic enum lo_scope scope;
};

struct lo_cell {
    struct lo_cell_name name;
    _Atomic int64_t until_ms;      /* 0: closed */
    _Atomic int64_t probe_ms;      /* until then the one probe is out; 0: none is */
    _Atomic int64_t first_byte_64; /* in 64ths of a ms; -1: not known */
    _Atomic int64_t well_ms;       /* the last success; 0: none is known */
    _Atomic bool is_hard;
    _Atomic uint8_t event_count;
    enum lo_reason reason;
    int http_status;
    unsigned streak;
    int64_t since_ms;   /* of the present end */
    int64_t used_ms;    /* looked for in earnest */
    int64_t floor_ms;   /* no end before it, once the rate is reached */
    bool is_told;       /* other nodes know of it */
    uint64_t change;    /* its place among the changes here; 0: none */
    int64_t changed_ms; /* when it was cooled or closed last */
    bool is_news;       /* it was, since other nodes were told or heard of last */
    int64_t closed_ms;  /* of news: when it was closed; 0: it was not */
    struct lo_told told;
    uint64_t limited[LO_LIMITED_MAX]; /* of a platform: accounts; 0: none */
    int64_t limited_ms;
    struct lo_event events[LO_EVENTS]; /* oldest first */
};

struct lo_set {
    pthread_mutex_t lock;
    _Atomic uint64_t numbers[LO_WAYS]; /* 0: free */
    struct lo_cell cells[LO_WAYS];
};

/* Whose own keys were probed last; of the one thread that takes probes. */
struct lo_turns {
    uint64_t owners[LO_TURNS]; /* the latest first; 0: nobody */
};

struct lo_health {
    const struct lb_host *host;
    bool probes_itself;
    int64_t probe_ms;
    int64_t hard_ms;
    uint32_t mask;                   /* sets - 1 */
    _Atomic uint32_t open_count;     /* cells that are not closed */
    _Atomic uint32_t platform_count; /* cells of platforms */
    _Atomic uint64_t changes;
    struct lo_set *sets;
    struct lo_turns turns;
};

static inline struct lo_cell_id lo_cell_id_of(const struct lo_cell *cell)
{
    const struct lo_cell_name *name = &cell->name;

    return (struct lo_cell_id){
        .scope = atomic_load_explicit(&name->scope, memory_order_relaxed),
        .owner = atomic_load_explicit(&name->owner, memory_order_relaxed),
        .platform_id = atomic_load_explicit(&name->platform_id, memory_order_relaxed),
        .item = atomic_load_explicit(&name->item, memory_order_relaxed),
    };
}

static inline bool lo_cell_is(const struct lo_cell *cell, const struct lo_cell_id *id)
{
    const struct lo_cell_id own = lo_cell_id_of(cell);

    return own.item == id->item && own.owner == id->owner && own.platform_id == id->platform_id &&
           own.scope == id->scope;
}

/* One cell's end, as it is to be. */
struct lo_cooling {
    enum lo_cool cool;
    enum lo_reason reason;
    int http_status;
    int64_t retry_after_ms; /* -1: unsaid */
    int64_t now_ms;
    uint64_t noise;
};

static inline struct lo_set *lo_set_of(const struct lo_health *health, uint64_t number)
{
    return &health->sets[number >> 1 & health->mask]; /* the lowest bit is always set */
}

/* Without a lock: the place of the cell of that id, whose number this is, or LO_WAYS. */
static inline unsigned lo_set_look(const struct lo_set *set, uint64_t number,
                                   const struct lo_cell_id *id)
{
    unsigned way = 0;

    while (way < LO_WAYS &&
           (atomic_load_explicit(&set->numbers[way], memory_order_acquire) != number ||
            !lo_cell_is(&set->cells[way], id)))
        way++;
    return way;
}

static inline uint32_t lo_place_count(const struct lo_health *health)
{
    return (health->mask + 1) * LO_WAYS;
}

/* The cell at a place, its set locked; NULL, and nothing is locked: there is none. */
static inline struct lo_cell *lo_lock_at(const struct lo_health *health, uint32_t at,
                                         struct lo_set **set)
{
    *set = &health->sets[at / LO_WAYS];
    if (atomic_load(&(*set)->numbers[at % LO_WAYS]) == 0)
        return NULL;
    pthread_mutex_lock(&(*set)->lock);
    return &(*set)->cells[at % LO_WAYS];
}

/* Under the set's lock, all of these. */

/* The cell, or NULL. */
struct lo_cell *lo_set_find(struct lo_set *set, const struct lo_cell_id *id);
/*
 * The same, or a new one, closed, in the place of one that is less useful than one of this kind
 * will be; NULL: there is none.
 */
struct lo_cell *lo_set_make(struct lo_health *health, struct lo_set *set,
                            const struct lo_cell_id *id, enum lo_cool cool, int64_t now_ms);
/* An outcome counts. True: more than half of the last ones failed. */
bool lo_cell_count(struct lo_cell *cell, uint64_t user, bool failed, int64_t now_ms);
/* It gets an end, no sooner than the one it has. */
void lo_cell_cool(struct lo_health *health, struct lo_cell *cell, const struct lo_cooling *cooling);
/* It is news for the other nodes, if they know of it. */
void lo_cell_tell(struct lo_health *health, struct lo_cell *cell);
/* It is closed, as if it had never failed. */
void lo_cell_close(struct lo_health *health, struct lo_cell *cell, int64_t now_ms);

#endif
