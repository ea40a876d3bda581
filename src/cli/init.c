/* SPDX-License-Identifier: MIT */
/* llmgr init and sync: from a file of platforms to a database that holds them. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config/file.h"
#include "documents/write.h"

static void say_change(const struct llmgr_change *change)
{
    static const char SIGNS[] = {'+', '~', '-'};

    if (change->alias != NULL)
        printf(_("%c alias %s"), SIGNS[change->action], change->alias);
    else if (change->route != NULL)
        printf(_("%c route %s"), SIGNS[change->action], change->route);
    else
        printf("%c %s", SIGNS[change->action], change->platform_name);
    if (change->display_name != NULL)
        printf(" / %s", change->display_name);
    if (change->detail != NULL)
        printf(" (%s)", change->detail);
    putchar('\n');
}

static llmgr_status print_report(const struct cli_app *app, bool dry_run,
                                 const struct llmgr_sync_report *report, struct llmgr_error *err)
{
    if (cli_json(app))
        return cli_print_json(lx_json_sync(&(struct lx_sync){dry_run, *report}), err);
    for (size_t i = 0; i < report->count; i++)
        say_change(&report->changes[i]);
    if (report->count == 0)
        puts(_("Nothing to change: the database is as the file says."));
    else if (dry_run)
        puts(_("Nothing was written (--dry-run)."));
    return LLMGR_OK;
}

static llmgr_status synchronise(struct cli_app *app, bool dry_run, struct llmgr_error *err)
{
    struct llmgr_sync_report report;

    cli_warn_of_config(app);
    llmgr_status status = llmgr_sync(app->manager, app->config, dry_run, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = print_report(app, dry_run, &report, err);
    llmgr_sync_report_clear(&report);
    return status;
}

llmgr_status cli_run_sync(struct cli_app *app, struct llmgr_error *err)
{
    if (app->config == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("there is no llmgr.yaml here or in /etc/llmgr; `llmgr init` writes one"));
    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    if (status != LLMGR_OK)
        return status;
    return synchronise(app, cli_flag(app, CLI_FLAG_dry_run) != NULL, err);
}

/* ---- Init ------------------------------------------------------------------------------------ */

static llmgr_status write_all(int fd, struct lb_str text)
{
    while (text.size != 0) {
        ssize_t written = write(fd, text.p, text.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return LLMGR_ERR_IO;
        text = lb_str_sub(text, (size_t)written, text.size);
    }
    return LLMGR_OK;
}

/* Never overwrites: O_EXCL decides who made it. */
static llmgr_status write_config(const struct cli_app *app, const char *path,
                                 struct llmgr_error *err)
{
    struct lb_buf text;

    lb_buf_init(&text, &app->host, LC_FILE_SIZE_MAX);
    lc_write_default(&text);
    if (text.failed != LLMGR_OK) {
        lb_buf_free(&text);
        return lb_fail_memory(err);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    llmgr_status status = fd >= 0 ? write_all(fd, lb_buf_str(&text)) : LLMGR_ERR_IO;
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && status == LLMGR_OK) {
        status = LLMGR_ERR_IO;
        why = errno;
    }
    lb_buf_free(&text);
    /* Half a file would be taken for the user's own the next time. */
    if (fd >= 0 && status != LLMGR_OK)
        (void)unlink(path);
    if (status != LLMGR_OK)
        return lb_fail(err, status, N_("%s cannot be written: %s"), path, strerror(why));
    return LLMGR_OK;
}

llmgr_status cli_run_init(struct cli_app *app, struct llmgr_error *err)
{
    bool written = app->config == NULL;

    if (written) {
        const char *path = app->options.config != NULL ? app->options.config : "llmgr.yaml";
        llmgr_status status = write_config(app, path, err);
        if (status == LLMGR_OK)
            status = cli_config(app, err);
        if (status != LLMGR_OK)
            return status;
        if (!cli_json(app))
            printf(_("Wrote %s: edit it, put your keys into .env, then run `llmgr sync`.\n"), path);
    }
    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    return status == LLMGR_OK ? synchronise(app, false, err) : status;
}
