/* SPDX-License-Identifier: MIT */
/*
 * Setting prices and ending them: the operator's, in one transaction however many there are. A
 * price in the database is never changed but for its end; the ledger's rows name it for ever.
 */
#ifndef LQ_PRICES_H
#define LQ_PRICES_H

#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"
#include "manager/manager.h"

struct ls_tx;

/* Who set a price, apart from the names of what is imported. */
#define LQ_SOURCE_HAND "hand"
#define LQ_SOURCE_FILE "file" /* llmgr.yaml */

/* See struct llmgr_price_spec; slices are borrowed, an empty one is "none". */
struct lq_price_spec {
    int64_t platform_id;
    struct lb_str model;    /* empty: every model */
    struct lb_str currency; /* empty: USD */
    int64_t from_ms;        /* 0: now */
    int64_t until_ms;       /* 0: until the next one for the same, or without end */
    int64_t above_tokens;
    struct lb_str service_tier;
    struct lb_str hours;
    struct lb_str time_zone; /* empty, with hours: UTC */
    struct lb_str source;
    int64_t rates[LLMGR_PRICE_UNIT_COUNT];
};

enum lq_price_result {
    LQ_PRICE_NEW,     /* there was none for the same */
    LQ_PRICE_CHANGED, /* the former ends where this begins */
    LQ_PRICE_SAME,    /* the former says the same, and stays */
    LQ_PRICE_KEPT     /* the former was set by hand or by the file, and stays */
};

/* A price that is to be, and what became of it. */
struct lq_price_change {
    struct lq_price_spec spec;
    bool is_early; /* its platform is not there yet, and comes with the transaction that writes */
    enum lq_price_result result;
    int64_t price_id;  /* of the new one, or of the one that stays; 0: not written yet */
    int64_t former_id; /* of the one in force where this begins; 0: none was, */
    int64_t former_rates[LLMGR_PRICE_UNIT_COUNT]; /* and what it said */
    char former_currency[4];
};

struct lq_prices_way {
    bool
        replaces_hand; /* an imported price takes the place of one set by hand, never of a file's */
    bool ends_rest;    /* what else there is of the first one's source ends now, as if deleted */
    bool is_dry;       /* nothing is written: only what would become of them is told */
};

/* Is told of a price that ends, or would, by `ends_rest`. */
typedef llmgr_status (*lq_ended_fn)(void *context, int64_t platform_id, struct lb_str model,
                                    struct llmgr_error *err);

struct lq_standing;

/* What lq_prices_set does, for who has a transaction of his own. */
struct lq_setting {
    struct lm_manager *manager;
    struct lm_actor actor;
    struct lq_price_change *changes;
    size_t count;
    struct lb_str source;
    const struct lq_prices_way *way;
    int64_t now_ms;
    lq_ended_fn on_end; /* may be NULL */
    void *context;      /* its */

    /* What came of it. */
    size_t at;    /* the change that an error is about; `count`: none */
    size_t news;  /* prices that are, or would be, new, */
    size_t ended; /* and that end by `ends_rest` */

    bool writes;                  /* private, as all below */
    size_t replaced;              /* that end at once, since a new one begins */
    int64_t platform_id;          /* the last that was found to be a system platform; 0: none */
    struct lq_standing *standing; /* the source's, if the rest of it ends; NULL else */
};

/* Judges what can be judged without the rows. Once, before all else. */
LLMGR_MUST_CHECK llmgr_status lq_setting_judge(struct lq_setting *setting, struct llmgr_error *err);
/*
 * Says what becomes of them, and does it if it `writes`; then none may be early. May be repeated,
 * in the same transaction or another.
 */
LLMGR_MUST_CHECK llmgr_status lq_setting_run(struct lq_setting *setting, struct ls_tx *tx,
                                             bool writes, struct llmgr_error *err);

/*
 * Sets prices, all or none. *ended (may be NULL): how many ended by `ends_rest`. *failed (may be
 * NULL) is the index of the price that an error is about, `count` if it is about none. `source` is
 * that of all when there are none of them. Errors as of llmgr_price_set.
 */
LLMGR_MUST_CHECK llmgr_status lq_prices_set(struct lm_manager *manager, struct lm_actor actor,
                                            struct lq_price_change *changes, size_t count,
                                            struct lb_str source, const struct lq_prices_way *way,
                                            size_t *ended, size_t *failed, struct llmgr_error *err);
/* See llmgr_price_delete. */
LLMGR_MUST_CHECK llmgr_status lq_price_delete(struct lm_manager *manager, struct lm_actor actor,
                                              int64_t price_id, struct llmgr_error *err);

/* See llmgr_prices; all but the list's memory, strings in `arena`. */
LLMGR_MUST_CHECK llmgr_status lq_prices_list(struct lm_manager *manager, struct lb_str user,
                                             const struct llmgr_price_query *query,
                                             struct lb_arena *arena, struct llmgr_price_list *list,
                                             struct llmgr_error *err);

/* price_rules.c: completes what was left out, and judges what can be judged without the rows. */
LLMGR_MUST_CHECK llmgr_status lq_price_judge(const struct lb_host *host, int64_t now_ms,
                                             struct lq_price_spec *spec, struct llmgr_error *err);

#endif
