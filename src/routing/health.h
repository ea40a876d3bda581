/* SPDX-License-Identifier: MIT */
/*
 * What is known to be broken, so that no request pays for it twice: a cell for each key, account,
 * model at a platform and platform of which something is known. One table per process, of fixed
 * size, used by all workers and by the library's calls; any thread.
 *
 *     closed --faults (a rate, or one that says it all)--> cooled --its end--> half-open
 *       ^                                                    ^                   |
 *       +---------------- success of the probe --------------|-------------------+
 *                                                            +-- the probe fails: twice as long
 *
 * A cell's end never comes sooner than one that was set before. Of a half-open cell one request at
 * a time is let through; its place is free again at its time-out, if nothing is heard of it. What
 * ends hard (a refused key, an account without money) lets no user's request through at all: a
 * probe of our own does, if there is one.
 *
 * What fails with a user's own key, model or platform lies in cells of that user's (and in shared
 * ones only as far as they are of what all share). Faults are counted towards a rate, more than
 * half of what came of late; where several users are active, of each at most the last two count. A
 * limit that three accounts in a row meet, and no success between, is taken for the address's: it
 * cools the platform, and no account more.
 *
 * Times are of one monotonic clock, in ms and above 0, passed in; so is randomness (`noise`, for
 * jitter). Nothing allocates after
 * lo_health_new.
 */
#ifndef LO_HEALTH_H
#define LO_HEALTH_H

#include "base/host.h"
#include "routing/verdict.h"

struct lo_health;

/* XX(NAME, "name") */
#define LO_SCOPE_MAP(XX)                                                                           \
    XX(KEY, "key") XX(ACCOUNT, "account") XX(MODEL, "model") XX(PLATFORM, "platform")

enum lo_scope {
#define LO_SCOPE_ENUM(name, text) LO_SCOPE_##name,
    LO_SCOPE_MAP(LO_SCOPE_ENUM)
#undef LO_SCOPE_ENUM
        LO_SCOPE_COUNT
};

enum {
    LO_CELLS = 4096, /* the usual size of the table */
    LO_CELLS_MAX = 1 << 20,
    LO_SOFT_MS = 15 * 1000,            /* the first cooling, doubling */
    LO_SOFT_MAX_MS = 120 * 1000,       /* to this */
    LO_HARD_MS = 30 * 60 * 1000,       /* the same of hard ones */
    LO_HARD_MAX_MS = 24 * 3600 * 1000, /* and no cell ends later than so long from now */
    LO_MISSING_MS = 5 * 60 * 1000,     /* a model that is gone */
    LO_WINDOW_MS = 30 * 1000,          /* faults older than this count no longer */
    LO_RATE_MIN = 4,                   /* outcomes below which there is no rate */
    LO_STALE_MS = 10 * 60 * 1000,      /* what is known of a time, without another */
    LO_TOLD_MS = 2000,                 /* a Retry-After below it is over before others know */
};

struct lo_health_options {
    uint32_t cells;     /* how many, rounded up to a power of two; 0: LO_CELLS */
    bool probes_itself; /* somebody calls lo_health_take_due: hard cells wait for that */
    int64_t probe_ms;   /* a probe of which nothing is heard frees its place; 0: 60 s */
    int64_t hard_ms;    /* how long a hard cell rests at first; 0: LO_HARD_MS */
};

/* NULL: memory. */
struct lo_health *lo_health_new(const struct lb_host *host,
                                const struct lo_health_options *options);
void lo_health_free(struct lo_health *health); /* NULL is fine */

/* What may serve a request, as far as health is concerned. Ids as in lr_target. */
struct lo_candidate {
    int64_t platform_id;
    int64_t model_id;
    uint64_t account_id; /* equal for keys that share an account there */
    uint64_t key_id;
    uint64_t user;           /* who asks: a hash, the same on all nodes that share cells; not 0 */
    uint32_t context_tokens; /* that fit into the model; 0: not known */
    bool is_own_key;         /* the key is the user's own */
    bool is_own_model;    /* his own row, or a name that he gave: what it says of models is his */
    bool is_own_platform; /* his own */
};

/* Whose cell it is, and of what; equal on all nodes. */
struct lo_cell_id {
    enum lo_scope scope;
    uint64_t owner; /* the user whose alone it is; 0: shared */
    int64_t platform_id;
    uint64_t item; /* key, account or model id; 0 of a platform */
};

struct lo_cell_id lo_cell_id(const struct lo_candidate *candidate, enum lo_scope scope);
/*
 * A number for people and paths: the same on all nodes, never 0. Two ids may have one, and who
 * wants to finds such: it names what is shown, and never whose a cell is.
 */
uint64_t lo_cell_number(const struct lo_cell_id *id);

/* ---- A request's way ------------------------------------------------------------------------- */

/* Why a candidate is passed over. */
struct lo_cooled {
    struct lo_cell_id id; /* the cell that ends last */
    int64_t until_ms;     /* when it ends; of one whose probe is out, when that may be over */
    enum lo_reason reason;
    int http_status; /* 0: none came */
    bool is_hard;
};

/* The leave to use a candidate; given back by lo_health_end, exactly once. */
struct lo_pass {
    int64_t entered_ms;
    int64_t probe_until_ms; /* names the places that it holds */
    uint8_t probes;         /* bit per scope: it is the one probe of that half-open cell */
    bool is_forced;         /* let through although something is cooled */
};

/*
 * May a request go there now? False: *why is filled (NULL is fine) and nothing has changed. While
 * nothing at all is cooled this costs one load.
 */
bool lo_health_enter(struct lo_health *health, const struct lo_candidate *candidate, int64_t now_ms,
                     struct lo_pass *pass, struct lo_cooled *why);
/* The same answer without any effect, for choosing and explaining; half-open counts as free. */
bool lo_health_look(const struct lo_health *health, const struct lo_candidate *candidate,
                    int64_t now_ms, struct lo_cooled *why);
/* It goes there whatever is cooled (on_exhausted: least_bad): its success counts as a probe's. */
void lo_health_force(int64_t now_ms, struct lo_pass *pass);

struct lo_end {
    const struct lo_candidate *candidate;
    const struct lo_pass *pass;
    struct lo_verdict verdict;
    int64_t first_byte_ms; /* of an answer: how long its first byte took; -1: unknown */
    int64_t now_ms;
    uint64_t noise;
};
/* The attempt has ended. A verdict without fault is a success, unless its reason is that the
 * caller has left. */
void lo_health_end(struct lo_health *health, const struct lo_end *end);

/*
 * How long the model took to its first byte of late, a mean that forgets within LO_WINDOW_MS; -1:
 * not known, or not for LO_STALE_MS any more.
 */
int64_t lo_health_first_byte(const struct lo_health *health, const struct lo_candidate *candidate,
                             int64_t now_ms);

/* ---- Probes of our own ----------------------------------------------------------------------- */

/*
 * A hard cell whose end has come, of which the caller holds the one probe from now on; false: none.
 * Shared ones go before those of one user; of users who had their last turn longest ago, then
 * whichever has waited longest. One thread asks. To be followed by lo_health_probed.
 */
bool lo_health_take_due(struct lo_health *health, int64_t now_ms, struct lo_cell_id *id);

/* What came of a probe, or of the look for what it should ask. */
enum lo_probed {
    LO_PROBED_WELL,   /* it answers again: the cell is closed */
    LO_PROBED_ILL,    /* it does not: twice as long as before */
    LO_PROBED_UNSAID, /* what came says nothing of it: as long as before */
    LO_PROBED_GONE,   /* there is no such key any more: the cell is closed */
};
#define LO_PROBED_COUNT (LO_PROBED_GONE + 1)

/* Of a hard cell of this scope (KEY or ACCOUNT), by how its probe ended. */
enum lo_probed lo_probe_judge(enum lo_scope scope, const struct lo_verdict *verdict);
void lo_health_probed(struct lo_health *health, const struct lo_cell_id *id, enum lo_probed probed,
                      int64_t now_ms, uint64_t noise);

/*
 * The candidate's key was asked with and answered, though by no request that entered: hard cells of
 * it and of its account are closed.
 */
void lo_health_answered(struct lo_health *health, const struct lo_candidate *candidate,
                        int64_t now_ms);

/* ---- For people ------------------------------------------------------------------------------ */

enum lo_cell_state { LO_CELL_COOLED, LO_CELL_HALF_OPEN }; /* closed ones are not shown */

struct lo_cell_view {
    uint64_t number;
    struct lo_cell_id id;
    enum lo_cell_state state;
    int64_t since_ms; /* when it was cooled last */
    int64_t until_ms;
    enum lo_reason reason;
    int http_status;
    unsigned streak; /* how often it has been cooled without a success */
    bool is_hard;
};

/* Whose cells: the shared ones, a user's own, or both. */
struct lo_whose {
    bool shared;
    uint64_t owner; /* 0: nobody's own */
};

/*
 * The cells that are not closed, in no particular order: start with *at = 0; false at the end. What
 * changes meanwhile is shown as it is when it is reached.
 */
bool lo_health_next(const struct lo_health *health, struct lo_whose whose, int64_t now_ms,
                    uint32_t *at, struct lo_cell_view *view);
/* Closes what has that number, of those; false: there is none that is not closed. */
bool lo_health_reset(struct lo_health *health, struct lo_whose whose, uint64_t number,
                     int64_t now_ms);
/* How many are not closed now. */
uint32_t lo_health_cooled(const struct lo_health *health);

/* ---- Between nodes --------------------------------------------------------------------------- */

/*
 * A cell that other nodes want to know of (hard, or until a Retry-After of LO_TOLD_MS or more), as
 * a row. All times are ms since 1970 of one clock that the nodes share.
 */
struct lo_shared_cell {
    struct lo_cell_id id;
    int64_t until_ms;   /* 0: it is closed */
    int64_t changed_ms; /* when it was cooled or closed last */
    int64_t closed_ms;  /* when it was closed last; 0: it never was */
    unsigned streak;
    enum lo_reason reason;
    int http_status;
    bool is_hard;
};

/* What a moment of the caller's monotonic clock is on the clock that the nodes share. */
struct lo_clocks {
    int64_t now_ms;
    int64_t wall_ms; /* ms since 1970, of the same moment */
};

/*
 * False: no node has written it. An end that is more than LO_HARD_MAX_MS from now is drawn near,
 * and what is closed has been closed when it changed.
 */
bool lo_shared_take(struct lo_shared_cell *shared, int64_t wall_ms);
/*
 * What two know of one cell becomes what both know: a closing ends what was cooled before it or at
 * the same moment, of the rest the longer end holds. True: *known has changed.
 */
bool lo_shared_merge(struct lo_shared_cell *known, const struct lo_shared_cell *news);

/* Would lo_health_export have one? Cheap; it may err, and say so for none. */
bool lo_health_has_news(const struct lo_health *health, uint64_t sequence);
/*
 * The next one that has changed here (not by an import) after *sequence, which moves on; start with
 * 0. False: no more for now. Each change is shown as it is by now, the latest of a cell once. The
 * moment at which it changed is settled with the first showing, and later than any moment that was
 * known of the cell by then: a clock that goes back undoes no change.
 */
bool lo_health_export(struct lo_health *health, struct lo_clocks clocks, uint64_t *sequence,
                      struct lo_shared_cell *cell);
/*
 * One that changed elsewhere: from now on it is known here what both know. Where that is a closing
 * of here that was none of their business before, it becomes the next one of lo_health_export.
 */
void lo_health_import(struct lo_health *health, struct lo_clocks clocks,
                      const struct lo_shared_cell *cell);

const char *lo_scope_name(enum lo_scope scope);

#endif
