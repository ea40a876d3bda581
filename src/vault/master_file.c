/* SPDX-License-Identifier: MIT */
/*
 * The master key in a file. Reading judges the opened file, never its name, so that nothing can be
 * swapped between check and use. Writing makes the whole file under another name and links it into
 * place, so that the name never shows half a key and an existing key is never overwritten; of two
 * processes in their first run, the second finds the first's.
 */
#include "vault/master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum {
    TEXT_MAX = 256, /* no key's text is longer; a longer file is not read */
    PATH_SIZE = 4096,
    KEY_TEXT_SIZE = 2 * LV_MASTER_SIZE + 1 /* hex and a line end */
};

/* Which permission bits a file must not have. */
enum file_rule {
    RULE_PRIVATE = 0077,    /* our own file: nothing for group and others */
    RULE_ROOTS = 0037,      /* root's, for us: a group of root's choice may read it */
    RULE_CREDENTIAL = 0337, /* systemd's: 0400, or 0440 where an ACL admits the service's user */
};

static llmgr_status judge_file(const struct stat *about, const char *path, enum file_rule rule,
                               struct llmgr_error *err)
{
    if (!S_ISREG(about->st_mode))
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key file %s is not a regular file; name one that is"), path);
    if (about->st_uid != geteuid() && about->st_uid != 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key file %s belongs to another user (uid %lu); "
                          "'chown' it to the user who runs llmgr"),
                       path, (unsigned long)about->st_uid);
    /* So secrets are mounted by Kubernetes, and handed over by systemd, for who is not root. */
    if (rule == RULE_PRIVATE && about->st_uid == 0 && geteuid() != 0)
        rule = RULE_ROOTS;
    if ((about->st_mode & (mode_t)rule) != 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key file %s can be used by others (mode %04o); "
                          "run 'chmod 600 %s', and replace the key if anybody may have read it"),
                       path, (unsigned)(about->st_mode & 07777), path);
    if (about->st_size > TEXT_MAX)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key file %s is too large to be a key; it must hold 64 hex "
                          "digits or the base64 of 32 bytes"),
                       path);
    return LLMGR_OK;
}

static llmgr_status fail_open(const char *path, int error, struct llmgr_error *err)
{
    if (error == ENOENT || error == ENOTDIR)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("there is no master key file %s; 'llmgr init' makes one, but keys that "
                          "are stored already need the old one"),
                       path);
    return lb_fail(err, LLMGR_ERR_VAULT, N_("cannot open the master key file %s: %s"), path,
                   strerror(error));
}

/* Reads up to `limit` bytes; -1 on error. */
static ssize_t read_up_to(int fd, char *bytes, size_t limit)
{
    size_t size = 0;

    while (size < limit) {
        ssize_t got = read(fd, bytes + size, limit - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

/*
 * In a folder that everybody may write, everybody may put another key in the place of ours; where
 * it is sticky, as /tmp is, they may not.
 */
static llmgr_status judge_folder(const char *file, const char *path, struct llmgr_error *err)
{
    char folder[PATH_SIZE];
    struct stat about;
    const char *slash = strrchr(file, '/');
    size_t size = slash == NULL ? 0 : slash == file ? 1 : (size_t)(slash - file);

    if (size >= sizeof folder)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the master key file's path is too long"));
    memcpy(folder, size != 0 ? file : ".", size != 0 ? size : 1);
    folder[size != 0 ? size : 1] = '\0';
    if (stat(folder, &about) != 0)
        return LLMGR_OK; /* removed just now: the file that is open was judged */
    if ((about.st_mode & S_IWOTH) == 0 || (about.st_mode & S_ISVTX) != 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_VAULT,
                   N_("%s, the folder of the master key file %s, can be changed by everybody (mode "
                      "%04o); run 'chmod o-w %s', and see whether the key is still yours"),
                   folder, path, (unsigned)(about.st_mode & 07777), folder);
}

/* The folder of the name, and that of the file to which a symbolic link leads. */
static llmgr_status judge_folders(const char *path, struct llmgr_error *err)
{
    llmgr_status status = judge_folder(path, path, err);
    char target[PATH_MAX];

    if (status == LLMGR_OK && realpath(path, target) != NULL)
        status = judge_folder(target, path, err);
    return status;
}

static llmgr_status read_file(const char *path, enum file_rule rule, struct lv_master *master,
                              struct llmgr_error *err)
{
    char text[TEXT_MAX + 1];
    struct stat about;
    llmgr_status status;

    /*
     * A symbolic link is followed, for Kubernetes mounts secrets behind two: what counts is the
     * file that was opened. O_NONBLOCK: a FIFO in its place must not hang the start.
     */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_open(path, errno, err);
    if (fstat(fd, &about) != 0) {
        status = fail_open(path, errno, err);
        goto out;
    }
    status = judge_file(&about, path, rule, err);
    if (status == LLMGR_OK)
        status = judge_folders(path, err);
    if (status != LLMGR_OK)
        goto out;
    ssize_t size = read_up_to(fd, text, sizeof text);
    if (size < 0)
        status = lb_fail(err, LLMGR_ERR_VAULT, N_("cannot read the master key file %s: %s"), path,
                         strerror(errno));
    else
        status = lv_master_from_text(lb_str(text, (size_t)size), path, master, err);
    sodium_memzero(text, sizeof text);
out:
    close(fd);
    return status;
}

llmgr_status lv_master_from_file(const char *path, struct lv_master *master,
                                 struct llmgr_error *err)
{
    return read_file(path, RULE_PRIVATE, master, err);
}

llmgr_status lv_master_from_credential(const char *directory, const char *name,
                                       struct lv_master *master, struct llmgr_error *err)
{
    char path[PATH_SIZE];

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("'%s' is not the name of a systemd credential; use a plain name such as "
                          "llmgr-master-key"),
                       name);
    int size = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (size < 0 || (size_t)size >= sizeof path)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the credentials directory's path is too long"));
    return read_file(path, RULE_CREDENTIAL, master, err);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static llmgr_status fail_write(const char *path, int error, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_VAULT,
                   N_("cannot write the master key file %s: %s; choose another place with "
                      "master_key_file"),
                   path, strerror(error));
}

/* Makes the missing directories above `path`, each for us alone; 0 or an errno. */
static int make_parents(const char *path)
{
    char parent[PATH_SIZE];

    memcpy(parent, path, strlen(path) + 1);
    for (char *at = strchr(parent + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(parent, 0700) != 0 && errno != EEXIST) {
            int error = errno;
            struct stat about;
            /* An existing directory on a read-only file system may answer EROFS. */
            if (stat(parent, &about) != 0 || !S_ISDIR(about.st_mode))
                return error;
        }
        *at = '/';
    }
    return 0;
}

/* The name must survive a power loss too; 0 or an errno. */
static int sync_parent(const char *path)
{
    char parent[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    memcpy(parent, size != 0 ? path : ".", size != 0 ? size : 1);
    parent[size != 0 ? size : 1] = '\0';
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    /* EINVAL: a file system that cannot sync directories has nothing to sync. */
    int error = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    return error;
}

static int write_whole(int fd, const char *bytes, size_t size)
{
    while (size != 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* A new file of ours with the key's text, on disk when this returns; 0 or an errno. */
static int write_new(const char *path, const struct lv_master *master)
{
    char text[KEY_TEXT_SIZE + 1];

    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    sodium_bin2hex(text, sizeof text, master->bytes, sizeof master->bytes);
    text[KEY_TEXT_SIZE - 1] = '\n';
    int error = fchmod(fd, 0600) != 0 ? errno : write_whole(fd, text, KEY_TEXT_SIZE);
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    sodium_memzero(text, sizeof text);
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error != 0)
        unlink(path);
    return error;
}

/* Gives the finished file its name unless that is taken (EEXIST); 0 or an errno. */
static int put_in_place(const char *from, const char *path)
{
    int error = link(from, path) == 0 ? 0 : errno;

#ifdef RENAME_NOREPLACE
    /* File systems without hard links. */
    if (error == EPERM || error == EOPNOTSUPP || error == ENOSYS)
        error = renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ? 0 : errno;
#endif
    unlink(from); /* after a rename there is none, which is fine */
    return error == 0 ? sync_parent(path) : error;
}

llmgr_status lv_master_store_file(const char *path, const struct lv_master *master,
                                  struct llmgr_error *err)
{
    char temporary[PATH_SIZE];
    struct stat about;

    int size = snprintf(temporary, sizeof temporary, "%s.%08x.new", path, randombytes_random());
    if (path[0] == '\0' || size < 0 || (size_t)size >= sizeof temporary)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the master key file's path is empty or too long"));
    int error = lstat(path, &about) == 0 ? EEXIST : make_parents(path);
    if (error == 0)
        error = write_new(temporary, master);
    if (error == 0)
        error = put_in_place(temporary, path);
    if (error == EEXIST)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("%s exists already and is not overwritten; name a new file"), path);
    if (error != 0)
        return fail_write(path, error, err);
    return LLMGR_OK;
}

llmgr_status lv_master_create_file(const char *path, struct lv_master *master, bool *created,
                                   struct llmgr_error *err)
{
    struct lv_master fresh;

    llmgr_status status = lv_master_from_file(path, master, err);
    if (status != LLMGR_ERR_NOT_FOUND) {
        if (status == LLMGR_OK && created != NULL)
            *created = false;
        return status;
    }
    lv_master_generate(&fresh);
    status = lv_master_store_file(path, &fresh, err);
    if (status == LLMGR_OK)
        *master = fresh;
    lv_master_clear(&fresh);
    bool mine = status == LLMGR_OK;
    if (status == LLMGR_ERR_CONFLICT)
        status = lv_master_from_file(path, master, err);
    if (status == LLMGR_OK && created != NULL)
        *created = mine;
    return status;
}

void lv_master_take_back(const char *path)
{
    (void)unlink(path);
}
