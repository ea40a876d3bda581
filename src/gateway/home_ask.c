/* SPDX-License-Identifier: MIT */
/* Whose is it, and where? Asked of the table of owners, off the loop. See home.h. */
#include "gateway/home.h"

#include <string.h>

#include "base/magic.h"
#include "gateway/work.h"
#include "manager/manager.h"
#include "objects/owners.h"

enum { HOME_MAGIC = 0x6c67686d };

/* Holds nothing of the request's, which may go on without it. */
struct asking {
    unsigned magic;
    struct lm_manager *manager;
    enum lg_verdict (*go_on)(struct lg_request *request);
    struct lb_str user, id; /* behind the struct */
    struct lf_place place;
    llmgr_status status;
    struct llmgr_error err;
};

static void look_up(void *context)
{
    struct asking *asking = LB_CAST(struct asking, context, HOME_MAGIC);

    asking->status =
        lf_object_place(asking->manager, asking->user, asking->id, &asking->place, &asking->err);
}

static void drop_asking(void *context)
{
    struct asking *asking = LB_CAST(struct asking, context, HOME_MAGIC);

    asking->magic = 0;
    lb_free(lm_host(asking->manager), asking);
}

static enum lg_verdict looked_up(struct lg_request *request, void *context, llmgr_status status)
{
    const struct asking *asking = LB_CAST(struct asking, context, HOME_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (asking->status != LLMGR_OK)
        return lg_request_fail_with(request, &asking->err);
    if (request->gone || request->cut)
        return LG_DONE;
    request->home->place = asking->place;
    return asking->go_on(request);
}

enum lg_verdict lg_home_ask(struct lg_request *request,
                            enum lg_verdict (*go_on)(struct lg_request *request))
{
    struct lg_home *home = request->home;
    struct lm_manager *manager = request->worker->manager;
    struct lb_str user = lm_effective_user(manager, request->caller.user), id = home->kept;
    struct asking *asking = lb_calloc(lm_host(manager), 1, sizeof *asking + user.size + id.size);

    home->is_asked = true;
    if (asking == NULL)
        return lg_request_fail_memory(request);
    char *texts = (char *)(asking + 1);
    asking->magic = HOME_MAGIC;
    asking->manager = manager;
    asking->go_on = go_on;
    asking->user = lb_str(memcpy(texts, user.p, user.size), user.size);
    asking->id = lb_str(memcpy(texts + user.size, id.p, id.size), id.size);
    return lg_work_start_bounded(request, look_up, looked_up, drop_asking, asking);
}
