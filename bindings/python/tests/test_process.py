# SPDX-License-Identifier: MIT
"""Threads, forks, garbage and the interpreter's end: nothing hangs, nothing crashes, nothing stays."""
import gc
import os
import threading
import weakref

import llmgr

PREPARE = '''
import gc, logging, multiprocessing, os, sys, threading, time
logging.disable(logging.WARNING)
import llmgr
CONFIG = {"platforms": {"P": {"base_url": sys.argv[1], "api_key": "k", "models": {"M": "mock"}}}}
manager = llmgr.AIManager("x.db", CONFIG)
'''


def test_threads_share_a_manager(manager):
    failed = []

    def work(user):
        try:
            platform = manager.add_platform(f'P {user}', 'https://a.example/v1', 'sk', user)
            for i in range(20):
                model = manager.add_model(platform.id, f'm{i}', f'd{i}', user)
                manager.save_user_selection(user, platform.id, model.id)
                assert manager.resolve(user).model_name == f'm{i}'
                assert len(manager.get_platform_models(user)) == 11 + i
        except BaseException as error:
            failed.append(error)
    threads = [threading.Thread(target=work, args=(f'user-{i}',)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_the_interpreters_lock_is_free_while_the_library_works(manager):
    """A probe of a server that never answers blocks its own thread only."""
    import socket
    with socket.create_server(('127.0.0.1', 0)) as silent:
        url = f'http://127.0.0.1:{silent.getsockname()[1]}/v1'
        ended = threading.Event()

        def probe():
            manager.probe_platform_models(url, 'k', timeout=1.0, raise_on_error=False)
            ended.set()
        thread = threading.Thread(target=probe)
        thread.start()
        turns = 0
        while not ended.is_set():
            manager.resolve('u')
            turns += 1
        thread.join()
        assert turns > 100


def test_closing_while_others_work_waits_for_their_calls(open_, mockllm, room):
    manager = open_({'platforms': {'P': {'base_url': mockllm.base_url, 'api_key': 'k',
                                         'models': {'M': 'm'}}}}, room / 'closing.db')
    others = []

    def work():
        try:
            while True:
                manager.resolve('u')
        except llmgr.ClosedError:
            others.append('closed')
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    manager.close()
    for thread in threads:
        thread.join(30)
    assert others == ['closed'] * 4


def test_a_first_use_by_many_threads_opens_once(room, monkeypatch, mockllm):
    monkeypatch.setattr(llmgr, 'DEFAULT_PLATFORM_CONFIGS', {
        'P': {'base_url': mockllm.base_url, 'api_key': 'k', 'models': {'M': 'm'}}})
    fresh, seen = llmgr.AIManager.lazy(), set()
    threads = [threading.Thread(target=lambda: seen.add(id(fresh.borrow()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1
    fresh.close()


def test_a_forked_child_opens_its_own(manager):
    llm = manager.get_user_llm('u')
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            detail = manager.get_user_selection_detail('u')
            manager.update_platform_config('u', 1, 'sk-of-the-child')
            assert llm.invoke('x').content  # and its usage goes into the ledger
            os.write(write, detail['model_name'].encode())
            manager.close()
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as said:
        assert said.read() == 'mock'
    assert os.waitpid(child, 0)[1] == 0
    assert manager.resolve('u').key in ('sk-server', 'sk-of-the-child')
    assert manager.usage(user_id='u').total.requests == 1


def test_a_fork_while_other_threads_work(mockllm, script):
    out = script(PREPARE + '''
stop = threading.Event()
def work():
    while not stop.is_set():
        manager.resolve("u")
        manager.get_platform_models("u")
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        ok = manager.resolve("u").model_name == "mock"
        os._exit(0 if ok else 1)
    codes.append(os.waitpid(child, 0)[1])
stop.set()
for thread in threads: thread.join()
print(codes == [0] * 20)
''', mockllm.base_url, quiet=False)
    assert out == 'True\n'


def test_multiprocessing(mockllm, script):
    out = script(PREPARE + '''
def work(user):
    manager.update_platform_config(user, 1, "sk-" + user)
    return manager.resolve(user).key
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print(sorted(pool.map(work, ["a", "b", "c", "d", "e"])))
    time.sleep(1.2)
    print(manager.resolve("e").key)
''', mockllm.base_url, quiet=False)
    assert out.splitlines() == ["['sk-a', 'sk-b', 'sk-c', 'sk-d', 'sk-e']", 'sk-e']


def test_garbage_is_collected(open_, mockllm, room):
    def descriptors():
        return len(os.listdir('/proc/self/fd'))
    config = {'platforms': {'P': {'base_url': mockllm.base_url, 'api_key': 'k',
                                  'models': {'M': 'm'}}}}
    llmgr.AIManager(room / 'gc.db', config).close()
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    for _ in range(10):
        manager = llmgr.AIManager(room / 'gc.db', config)
        manager.resolve('u')
        manager.itself = manager  # a cycle
        gone = weakref.ref(manager)
        del manager
        gc.collect()
        assert gone() is None
    assert descriptors() <= before and threading.active_count() == threads


def test_the_interpreter_ends_cleanly_with_everything_open(mockllm, script):
    script(PREPARE + '''
llm = manager.get_user_llm("u")
stream = llm.stream("x"); next(stream)
keep = [manager, llm, stream]
''', mockllm.base_url, quiet=False)


def test_the_interpreter_ends_while_a_thread_is_in_the_library(mockllm, script):
    script(PREPARE + '''
import socket
silent = socket.create_server(("127.0.0.1", 0))
url = "http://127.0.0.1:%d/v1" % silent.getsockname()[1]
def work(): manager.probe_platform_models(url, "k", 30)
def busy():
    while True: manager.get_platform_models("u")
for target in (work, busy, busy): threading.Thread(target=target, daemon=True).start()
time.sleep(0.3)
''', mockllm.base_url, quiet=False)


def test_a_program_that_ends_by_an_exception(mockllm, script):
    script(PREPARE + 'raise SystemExit(7)\n', mockllm.base_url, code_wanted=7, quiet=False)
