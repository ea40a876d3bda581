/* SPDX-License-Identifier: MIT */
/*
 * The manager's rules, and nothing else: which key a user has on a platform, which platform and
 * model serve a slot or a name. Pure functions of a catalogue, a profile and the options; resolve,
 * explain and the lists all ask here, so they cannot disagree.
 *
 *   by slot    the choice stored for the slot, a model or a route -> the choice stored for main
 *              -> the first system platform with a model that may chat and a usable key
 *              -> the first system platform with such a model, whose missing key is the error
 *   by model   a slot -> a route -> platform/display name -> platform/model name -> display name
 *              -> model name -> what an alias of that name stands for (alias.h); within one of
 *              these: a usable key before none, own before system, then the order in which people
 *              see them
 *   by route   its first target with a usable key -> its first target that is there, whose missing
 *              key is then the error
 */
#ifndef LR_CHOOSE_H
#define LR_CHOOSE_H

#include "manager/catalogue.h"
#include "manager/manager.h"
#include "resolve/allowed.h"
#include "resolve/profile.h"
#include "resolve/resolve.h"

/* Who asks, and what there is. */
struct lr_scene {
    const struct lm_options *options;
    const struct lm_catalogue *catalogue;
    const struct lr_profile *profile;
    struct lb_str user; /* the effective one */
    bool is_system;     /* lm_is_system_user(user) */
    /* What of it the caller may use; NULL: all. What he may not is passed over by every rule. */
    const struct lr_allowed *allowed;
};

/*
 * Why a candidate is kept or dropped: XX(name, stable word, kept, text).
 * The words are part of the interface (llmgr explain --json).
 */
#define LR_REASON_MAP(XX)                                                                          \
    XX(SELECTED, "selected", true, N_("stored as the choice for this slot"))                       \
    XX(SELECTED_MAIN, "selected_main", true, N_("stored as the choice for the slot main"))         \
    XX(FALLBACK, "fallback", true, N_("a system platform with a model and a usable key"))          \
    XX(PLATFORM_DISPLAY, "platform_display_name", true, N_("named by platform and display name"))  \
    XX(PLATFORM_MODEL, "platform_model_name", true, N_("named by platform and model name"))        \
    XX(DISPLAY, "display_name", true, N_("named by its display name"))                             \
    XX(MODEL, "model_name", true, N_("named by its model name"))                                   \
    XX(TARGET, "target", true, N_("a target of the route"))                                        \
    XX(MISSING, "missing", false, N_("the route names it, but there is no such model"))            \
    XX(NOT_NAMED, "not_named", false, N_("the request names another model"))                       \
    XX(NO_MODEL, "no_model", false, N_("the platform has no model"))                               \
    XX(NO_CHAT, "no_chat", false,                                                                  \
       N_("all models of the platform are of a kind that does not chat"))                          \
    XX(NO_KEY, "no_key", false, N_("no API key is stored"))                                        \
    XX(KEY_UNREADABLE, "key_unreadable", false,                                                    \
       N_("the stored API key cannot be opened, or is a placeholder: store it again"))             \
    XX(AUTO_KEY_OFF, "auto_key_off", false,                                                        \
       N_("the server has a key, but auto_key is off and the user has none"))                      \
    XX(HIDDEN_BY_MODE, "hidden_by_mode", false,                                                    \
       N_("a private platform; this mode allows system platforms only"))                           \
    XX(GONE, "gone", false, N_("the stored choice no longer exists"))                              \
    XX(NOT_ALLOWED, "not_allowed", false, N_("the token may not use it"))

enum lr_reason {
#define LR_REASON_ENUM(name, word, kept, text) LR_REASON_##name,
    LR_REASON_MAP(LR_REASON_ENUM)
#undef LR_REASON_ENUM
};

const char *lr_reason_word(enum lr_reason reason);
bool lr_reason_kept(enum lr_reason reason);
const char *lr_reason_text(enum lr_reason reason); /* translated */

/* Whose keys resolve would use on a platform: a pool, in order, of which the first is used. */
struct lr_key_choice {
    enum lm_payer payer;              /* NONE: there is no usable key */
    enum lr_reason reason;            /* if payer is NONE: NO_KEY, KEY_UNREADABLE or AUTO_KEY_OFF */
    uint32_t count;                   /* usable keys; 0 if payer is NONE */
    const struct lk_pool_key *server; /* the catalogue's, or NULL */
    const struct lr_own_key *own;     /* the profile's, or NULL */
};
/* The server's, whatever anybody has of his own. */
struct lr_key_choice lr_server_keys(const struct lm_platform *platform);
struct lr_key_choice lr_choose_key(const struct lr_scene *scene,
                                   const struct lm_platform *platform);
/* The key at place `at`, below choice->count. Borrowed from the scene. */
struct lk_pool_key lr_key_at(const struct lr_scene *scene, const struct lr_key_choice *choice,
                             uint32_t at);

/* May this user's private platforms be seen and used? */
bool lr_private_allowed(const struct lm_options *options);

struct lr_choice {
    const struct lm_platform *platform; /* NULL: nothing was found */
    const struct lm_model *model;
    struct lr_key_choice key;
    enum lr_reason reason;          /* by which rule it was found */
    struct lb_str slot;             /* the slot asked for; empty if a model was named */
    bool is_default;                /* nothing is stored for the slot or main */
    bool fell_back;                 /* a stored choice is kept, but not used */
    struct lr_selection *gone;      /* a stored choice to repair, or NULL */
    struct lr_selection *selection; /* the stored choice that was used, or NULL */
    struct lm_alias alias;          /* the alias that was asked; .name.p NULL: none */
    const struct lm_route *route;   /* the route that was asked, or NULL */
    uint32_t target;                /* which of its targets this is */
};

/*
 * Is the choice's target there? SELECTED, HIDDEN_BY_MODE, NOT_ALLOWED, GONE. Unless it is gone,
 * *route is filled if it is a route, and otherwise NULL, with *platform and *model.
 */
enum lr_reason lr_look_up_selection(const struct lr_scene *scene,
                                    const struct lr_selection *selection,
                                    const struct lm_platform **platform,
                                    const struct lm_model **model, const struct lm_route **route);
/*
 * The model of a system platform that a default may be: the first that is not known to be of a kind
 * that does not chat, and that the caller may use. NULL: it has none.
 */
const struct lm_model *lr_first_model(const struct lr_scene *scene,
                                      const struct lm_platform *platform);
/* The first choice; platform is NULL if no system platform has such a model. */
void lr_choose_first(const struct lr_scene *scene, struct lr_choice *choice);

/* `slot` is not empty. */
void lr_choose_by_slot(const struct lr_scene *scene, struct lb_str slot, struct lr_choice *choice);
/* The slot that `model` stands for, or the empty slice: "auto", "main", a slot with a choice. */
struct lb_str lr_slot_named(const struct lr_scene *scene, struct lb_str model);
/* Slots that everybody may be asked for, and that stand for main as long as nothing was chosen. */
bool lr_is_usual_slot(struct lb_str name);
/* The route that a request asks for, or NULL. *gone: a stored choice that is to be repaired. */
const struct lm_route *lr_route_asked(const struct lr_scene *scene,
                                      const struct lr_request *request, struct lr_selection **gone);
/* May the caller use it? Also one of a platform that is the user's own. */
bool lr_may_use(const struct lr_scene *scene, const struct lm_platform *platform,
                const struct lm_model *model);
/*
 * A route of this user's or the operator's that the caller may use, or NULL: by number; by name,
 * own ones first. One of whose targets he may use none is not there for him.
 */
const struct lm_route *lr_route_seen(const struct lr_scene *scene, int64_t id);
const struct lm_route *lr_route_named(const struct lr_scene *scene, struct lb_str name);
/* The i-th target of a route, which exists; choice->platform is NULL if it is not there. */
void lr_choose_target(const struct lr_scene *scene, const struct lm_route *route, uint32_t i,
                      struct lr_choice *choice);
/* `model` is not the name of a slot or route. */
void lr_choose_by_model(const struct lr_scene *scene, struct lb_str model,
                        struct lr_choice *choice);
/* How `name` names this model of this platform: one of four reasons, or NOT_NAMED. */
enum lr_reason lr_how_named(const struct lm_platform *platform, const struct lm_model *model,
                            struct lb_str name);
/* A platform that this caller sees, the user's own or a system platform; NULL: there is none. */
const struct lm_platform *lr_platform_seen(const struct lr_scene *scene, int64_t id);
/* choice->platform is NULL if this user sees no such platform. */
void lr_choose_by_platform(const struct lr_scene *scene, int64_t id, struct lr_choice *choice);
/* By slot, by model, by platform, or a route's target, as the request says. */
void lr_choose(const struct lr_scene *scene, const struct lr_request *request,
               struct lr_choice *choice);

#endif
