/* SPDX-License-Identifier: MIT */
/*
 * libfaults: preloaded into a program under test, it fails the n-th call of a kind, once or from
 * then on. What to fail stands in a small file that both sides map, so that a test can start a
 * server in peace, make it fail, and read afterwards (of a crashed one too) how many calls it saw:
 * a sweep over n ends when n exceeds that.
 *
 *     LLMGR_FAULTS=FILE LD_PRELOAD=libfaults.so PROGRAM
 *
 * The file is `struct page` below; tests/faults/faults.py is its other side. Armed with
 * AT_MAIN it counts from main() to its return: what libraries do before and after is not ours.
 *
 * Everything but memory goes straight to the kernel, so nothing here needs the dynamic linker's
 * help before it works. Memory goes to the C library's own allocator, or to AddressSanitizer's.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
/* Prototypes that no header promises. */
#define EXPORT(declaration)                                                                        \
    PUBLIC declaration;                                                                            \
    declaration

/* In the order of KINDS in faults.py. */
enum kind {
    MEMORY,     /* malloc, calloc, realloc and their like */
    MAP,        /* mmap */
    READ,       /* read, pread of files */
    WRITE,      /* write, pwrite of files */
    SYNC,       /* fsync, fdatasync */
    EXTEND,     /* ftruncate, fallocate */
    MAKE,       /* open with O_CREAT, mkdir, link, rename */
    DESCRIPTOR, /* all that makes a descriptor, but to make a file */
    CONNECT,
    RECEIVE, /* from a socket */
    SEND,    /* to a socket */
    KINDS,
};

enum { OFF, ON, AT_MAIN };
enum { PAGE_SIZE = 4096, LINKER_SIZE = 0x40000, PATH_MAX_SIZE = 256 };

struct page {
    _Atomic uint32_t armed;
    uint32_t kinds;   /* the kinds that are counted and fail, a bit each */
    uint32_t forever; /* 0: only the n-th, 1: that and all after it */
    int32_t error;    /* errno of the failure; 0: a transfer of a single byte */
    uint64_t nth;     /* from 1; 0: none */
    _Atomic uint64_t seen;
    _Atomic uint64_t failed;
    _Atomic uint64_t each[KINDS];
    char path[PATH_MAX_SIZE]; /* not empty: of files, only those with this in their path */
};

static struct page nothing;
static struct page *page = &nothing;
/* What this thread does now is nobody's under test. Memory is not needed to look it up. */
static _Thread_local bool spared __attribute__((tls_model("initial-exec")));

static bool fails(enum kind kind)
{
    if (spared || atomic_load_explicit(&page->armed, memory_order_acquire) != ON)
        return false;
    atomic_fetch_add(&page->each[kind], 1);
    if ((page->kinds & (1U << kind)) == 0)
        return false;
    uint64_t n = atomic_fetch_add(&page->seen, 1) + 1;
    if (page->nth == 0 || n < page->nth || (n > page->nth && page->forever == 0))
        return false;
    atomic_fetch_add(&page->failed, 1);
    errno = page->error;
    return true;
}

/*
 * libuv aborts where these fail. src/net/spare.c asks for as much beforehand, so libuv is not the
 * first to find out; in the world, that is. Here it would be if just its call were the n-th.
 */
static bool fails_by_now(enum kind kind)
{
    return page->forever != 0 && atomic_load(&page->failed) != 0 && fails(kind);
}

__attribute__((constructor)) static void take_orders(void)
{
    const char *path = getenv("LLMGR_FAULTS");
    long fd = path != NULL ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    long at = syscall(SYS_mmap, 0L, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    if (at != -1)
        page = (struct page *)at;
    syscall(SYS_close, fd);
}

/* ---- Around main ----------------------------------------------------------------------------- */

static int (*real_main)(int, char **, char **);

static int main_between(int argc, char **argv, char **environment)
{
    uint32_t at_main = AT_MAIN;

    atomic_compare_exchange_strong(&page->armed, &at_main, ON);
    int code = real_main(argc, argv, environment);
    atomic_store(&page->armed, OFF);
    return code;
}

EXPORT(int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
                             void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                             void *stack_end))
{
    int (*next)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *);

    *(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = program;
    return next(main_between, argc, argv, init, fini, rtld_fini, stack_end);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* AddressSanitizer's, if its runtime is there, and the C library's. */
extern void *__interceptor_malloc(size_t) __attribute__((weak));
extern void *__interceptor_calloc(size_t, size_t) __attribute__((weak));
extern void *__interceptor_realloc(void *, size_t) __attribute__((weak));
extern int __interceptor_posix_memalign(void **, size_t, size_t) __attribute__((weak));
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

/* What the dynamic linker takes for a new thread: libuv aborts without. */
static bool for_a_thread(const void *caller)
{
    uintptr_t linker = getauxval(AT_BASE);

    return (uintptr_t)caller >= linker && (uintptr_t)caller - linker < LINKER_SIZE;
}

PUBLIC void *malloc(size_t size)
{
    bool failing = for_a_thread(__builtin_return_address(0)) ? fails_by_now(MEMORY) : fails(MEMORY);

    if (failing)
        return NULL;
    return __interceptor_malloc != NULL ? __interceptor_malloc(size) : __libc_malloc(size);
}

PUBLIC void *calloc(size_t count, size_t size)
{
    bool failing = for_a_thread(__builtin_return_address(0)) ? fails_by_now(MEMORY) : fails(MEMORY);

    if (failing)
        return NULL;
    return __interceptor_calloc != NULL ? __interceptor_calloc(count, size)
                                        : __libc_calloc(count, size);
}

static bool by_libuv(const void *caller)
{
    Dl_info about;

    return dladdr(caller, &about) != 0 && strstr(about.dli_fname, "libuv") != NULL;
}

PUBLIC void *realloc(void *p, size_t size)
{
    const void *caller = __builtin_return_address(0);
    bool armed = atomic_load_explicit(&page->armed, memory_order_relaxed) == ON;

    /* libuv's is its table of descriptors. */
    if (armed && (by_libuv(caller) ? fails_by_now(MEMORY) : fails(MEMORY)))
        return NULL;
    return __interceptor_realloc != NULL ? __interceptor_realloc(p, size) : __libc_realloc(p, size);
}

/*
 * AddressSanitizer asks for a new thread's stack, and ends the process if it is not told. The C
 * library needs memory for the answer at three places, in functions of its own.
 */
PUBLIC int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    int (*next)(pthread_t, pthread_attr_t *);

    spared = true;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_getattr_np");
    int error = next(thread, attributes);
    spared = false;
    return error;
}

PUBLIC int posix_memalign(void **p, size_t alignment, size_t size)
{
    if (fails(MEMORY))
        return ENOMEM;
    if (__interceptor_posix_memalign != NULL)
        return __interceptor_posix_memalign(p, alignment, size);
    *p = __libc_memalign(alignment, size);
    return *p != NULL ? 0 : ENOMEM;
}

PUBLIC void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fails(MAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

/* ---- Reading and writing --------------------------------------------------------------------- */

/* Is it one of the files that are to fail? */
static bool is_meant(int fd)
{
    char link[32], path[1024];

    if (page->path[0] == '\0' || atomic_load_explicit(&page->armed, memory_order_relaxed) != ON)
        return true;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int saved = errno;
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = saved;
    path[size > 0 ? size : 0] = '\0';
    return strstr(path, page->path) != NULL;
}

/* False: go on, with the size cut to a byte if that is the fault. */
static bool refused(enum kind kind, size_t *size)
{
    if (!fails(kind))
        return false;
    if (page->error != 0)
        return true;
    if (*size > 1)
        *size = 1;
    return false;
}

/* Pipes and event counters within the process are left alone: in the world they do not fail. */
static bool refused_on(int fd, enum kind on_file, enum kind on_socket, size_t *size)
{
    struct stat about;
    int saved = errno;

    if (atomic_load_explicit(&page->armed, memory_order_relaxed) != ON)
        return false;
    mode_t type = fstat(fd, &about) == 0 ? about.st_mode & S_IFMT : 0;
    errno = saved;
    if (type == S_IFSOCK)
        return refused(on_socket, size);
    return (type == S_IFREG || type == S_IFCHR) && is_meant(fd) && refused(on_file, size);
}

PUBLIC ssize_t read(int fd, void *bytes, size_t size)
{
    return refused_on(fd, READ, RECEIVE, &size) ? -1 : syscall(SYS_read, fd, bytes, size);
}

PUBLIC ssize_t pread64(int fd, void *bytes, size_t size, off64_t at)
{
    return is_meant(fd) && refused(READ, &size) ? -1 : syscall(SYS_pread64, fd, bytes, size, at);
}

PUBLIC ssize_t write(int fd, const void *bytes, size_t size)
{
    return refused_on(fd, WRITE, SEND, &size) ? -1 : syscall(SYS_write, fd, bytes, size);
}

PUBLIC ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    return is_meant(fd) && refused(WRITE, &size) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}

PUBLIC ssize_t pread(int fd, void *bytes, size_t size, off_t at) __attribute__((alias("pread64")));
PUBLIC ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
    __attribute__((alias("pwrite64")));

PUBLIC ssize_t readv(int fd, const struct iovec *parts, int count)
{
    size_t size = SIZE_MAX;

    if (refused_on(fd, READ, RECEIVE, &size))
        return -1;
    return size == 1 ? syscall(SYS_read, fd, parts->iov_base, parts->iov_len != 0 ? 1L : 0L)
                     : syscall(SYS_readv, fd, parts, count);
}

PUBLIC ssize_t writev(int fd, const struct iovec *parts, int count)
{
    size_t size = SIZE_MAX;

    if (refused_on(fd, WRITE, SEND, &size))
        return -1;
    return size == 1 ? syscall(SYS_write, fd, parts->iov_base, parts->iov_len != 0 ? 1L : 0L)
                     : syscall(SYS_writev, fd, parts, count);
}

PUBLIC ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_size)
{
    return refused(RECEIVE, &size) ? -1
                                   : syscall(SYS_recvfrom, fd, bytes, size, flags, from, from_size);
}

PUBLIC ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    return recvfrom(fd, bytes, size, flags, NULL, NULL);
}

PUBLIC ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    size_t size = SIZE_MAX;

    return refused(RECEIVE, &size) ? -1 : syscall(SYS_recvmsg, fd, message, flags);
}

PUBLIC ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
                      socklen_t to_size)
{
    if (!refused(SEND, &size))
        return syscall(SYS_sendto, fd, bytes, size, flags, to, to_size);
    /* A connection that cannot be written to any more is over for its reader too (libpq waits). */
    if (page->error == EPIPE)
        (void)syscall(SYS_shutdown, fd, SHUT_RDWR);
    errno = page->error;
    return -1;
}

PUBLIC ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    return sendto(fd, bytes, size, flags, NULL, 0);
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t size = SIZE_MAX;

    if (refused(SEND, &size))
        return -1;
    if (size != 1 || message->msg_iovlen == 0 || message->msg_iov[0].iov_len == 0)
        return syscall(SYS_sendmsg, fd, message, flags);
    struct iovec first = {message->msg_iov[0].iov_base, 1};
    struct msghdr cut = *message;
    cut.msg_iov = &first;
    cut.msg_iovlen = 1;
    return syscall(SYS_sendmsg, fd, &cut, flags);
}

/* What the compiler makes of the above where it knows the size of the buffer. */
EXPORT(ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room))
{
    (void)room;
    return read(fd, bytes, size);
}

EXPORT(ssize_t __pread64_chk(int fd, void *bytes, size_t size, off64_t at, size_t room))
{
    (void)room;
    return pread64(fd, bytes, size, at);
}

EXPORT(ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags))
{
    (void)room;
    return recv(fd, bytes, size, flags);
}

/* ---- Files ----------------------------------------------------------------------------------- */

PUBLIC int fsync(int fd)
{
    return is_meant(fd) && fails(SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

PUBLIC int fdatasync(int fd)
{
    return is_meant(fd) && fails(SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

PUBLIC int ftruncate64(int fd, off64_t size)
{
    return is_meant(fd) && fails(EXTEND) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

PUBLIC int ftruncate(int fd, off_t size) __attribute__((alias("ftruncate64")));

PUBLIC int fallocate64(int fd, int mode, off64_t at, off64_t size)
{
    return is_meant(fd) && fails(EXTEND) ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, size);
}

PUBLIC int posix_fallocate64(int fd, off64_t at, off64_t size)
{
    if (is_meant(fd) && fails(EXTEND))
        return page->error;
    return syscall(SYS_fallocate, fd, 0, at, size) == 0 ? 0 : errno;
}

PUBLIC int posix_fallocate(int fd, off_t at, off_t size)
    __attribute__((alias("posix_fallocate64")));

static bool is_meant_path(const char *path)
{
    return page->path[0] == '\0' || strstr(path, page->path) != NULL;
}

static int open_at(int folder, const char *path, int flags, va_list more)
{
    int mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, int) : 0;

    if (is_meant_path(path) && fails((flags & O_CREAT) != 0 ? MAKE : DESCRIPTOR))
        return -1;
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

PUBLIC int openat64(int folder, const char *path, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    int fd = open_at(folder, path, flags, more);
    va_end(more);
    return fd;
}

PUBLIC int open64(const char *path, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    int fd = open_at(AT_FDCWD, path, flags, more);
    va_end(more);
    return fd;
}

PUBLIC int open(const char *path, int flags, ...) __attribute__((alias("open64")));
PUBLIC int openat(int folder, const char *path, int flags, ...) __attribute__((alias("openat64")));

EXPORT(int __open64_2(const char *path, int flags))
{
    return open64(path, flags);
}

PUBLIC int mkdir(const char *path, mode_t mode)
{
    return is_meant_path(path) && fails(MAKE) ? -1
                                              : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

PUBLIC int link(const char *from, const char *to)
{
    return is_meant_path(to) && fails(MAKE)
               ? -1
               : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

PUBLIC int renameat2(int from_folder, const char *from, int to_folder, const char *to,
                     unsigned flags)
{
    return is_meant_path(to) && fails(MAKE)
               ? -1
               : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

PUBLIC int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return renameat2(from_folder, from, to_folder, to, 0);
}

PUBLIC int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

PUBLIC int socket(int family, int type, int protocol)
{
    return fails(DESCRIPTOR) ? -1 : (int)syscall(SYS_socket, family, type, protocol);
}

PUBLIC int accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
    return fails(DESCRIPTOR) ? -1 : (int)syscall(SYS_accept4, fd, from, size, flags);
}

PUBLIC int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    return fails(CONNECT) ? -1 : (int)syscall(SYS_connect, fd, to, size);
}

EXPORT(int epoll_create1(int flags))
{
    return fails(DESCRIPTOR) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

EXPORT(int eventfd(unsigned count, int flags))
{
    return fails(DESCRIPTOR) ? -1 : (int)syscall(SYS_eventfd2, count, flags);
}

PUBLIC int pipe2(int pair[2], int flags)
{
    if (by_libuv(__builtin_return_address(0)) ? fails_by_now(DESCRIPTOR) : fails(DESCRIPTOR))
        return -1;
    return (int)syscall(SYS_pipe2, pair, flags);
}
