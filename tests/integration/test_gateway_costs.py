# SPDX-License-Identifier: MIT
"""What attempts cost: the rows of the ledger bear what arithmetic by hand says."""
import json
import threading

import pytest

from conftest import until
from serving import ASK, CHAT, Platform, Serving, configure
from stress import ledger

COLUMNS = ('model_name', 'cost_nano', 'currency', 'price_id')
TRIES = 50  # before a gateway knows what another process has set


class Site:
    """A platform whose answers the test writes, behind a gateway."""

    def __init__(self, llmgr):
        self.llmgr = llmgr
        self.platform = Platform()
        configure(llmgr, self.platform.base_url, models={'Mock': 'm-1', 'Other': 'm-2'})
        self.serving = Serving(llmgr)
        self.id = llmgr.json('platform', 'list')[0]['platform_id']

    def price(self, *args):
        """Sets a price; its number."""
        return self.llmgr.json('price', 'set', *args)['price_id']

    def ask(self, usage, model='Mock', meanwhile=None, status='200 OK', **members):
        """One request that the platform answers so; `meanwhile` runs before it does."""
        answers = []
        asked = threading.Thread(
            target=lambda: answers.append(self.serving.ask(CHAT, {**ASK, 'model': model})))
        asked.start()
        try:
            peer = self.platform.accept()
            head = peer.until(b'\r\n\r\n').decode().lower()
            peer.exactly(int(head.split('content-length: ')[1].split('\r\n')[0]))
            if meanwhile:
                meanwhile()
            body = json.dumps({'id': 'x', 'usage': usage, **members, 'choices': [
                {'index': 0, 'finish_reason': 'stop',
                 'message': {'role': 'assistant', 'content': 'hello'}}]}).encode()
            peer.send(f'HTTP/1.1 {status}\r\nContent-Type: application/json\r\n'
                      f'Content-Length: {len(body)}\r\nConnection: close\r\n\r\n'.encode() + body)
            peer.close()
        finally:
            asked.join()
        return answers[0]

    def rows(self, count):
        """All rows of the ledger, once there are so many: (model, cost, currency, price)."""
        def read():
            return [tuple(row[name] or None for name in COLUMNS)
                    for row in ledger(self.llmgr, COLUMNS)]
        until(lambda: len(read()) >= count)
        return [(model, cost and int(cost), currency, price and int(price))
                for model, cost, currency, price in read()]

    def charged(self, price, usage, **more):
        """What such a request costs once the gateway knows that price."""
        before = len(self.rows(0))
        for asked in range(before + 1, before + TRIES):
            assert self.ask(usage, **more).status == 200
            model, cost, currency, decided = self.rows(asked)[-1]
            if decided == price:
                return cost, currency
        raise AssertionError(f'price {price} never decides')

    def stop(self):
        self.serving.stop()
        self.platform.close()


@pytest.fixture(name='site')
def site_fixture(llmgr):
    site = Site(llmgr)
    yield site
    site.stop()


def tokens(prompt, completion, cached=0, reasoning=0):
    return {'prompt_tokens': prompt, 'completion_tokens': completion,
            'total_tokens': prompt + completion,
            'prompt_tokens_details': {'cached_tokens': cached},
            'completion_tokens_details': {'reasoning_tokens': reasoning}}


def test_each_row_bears_what_its_price_says(site):
    price = site.price('--platform', site.id, '--model', 'm-1', '--input', '0.27',
                       '--output', '1.10', '--cached-input', '0.07')
    # 400 * 270 + 600 * 70 + 200 * 1100, in 10^-9 USD for a thousand tokens each
    assert site.charged(price, tokens(1000, 200, cached=600)) == (370000, 'USD')


def test_without_a_price_or_a_rate_a_row_is_unpriced(site):
    price = site.price('--platform', site.id, '--model', 'm-1', '--input', '0.27')
    assert site.charged(price, tokens(1000, 200)) == (None, None)
    count = len(site.rows(0))
    assert site.ask(tokens(1000, 200), model='Other').status == 200
    assert site.rows(count + 1)[-1] == ('m-2', None, None, None)


def test_a_price_set_meanwhile_does_not_hold_for_what_has_begun(site):
    first = site.price('--platform', site.id, '--model', 'm-1', '--input', '1', '--output', '2')
    assert site.charged(first, tokens(1000, 100)) == (1200000, 'USD')

    def change():
        second = site.price('--platform', site.id, '--model', 'm-1', '--input', '3',
                            '--output', '4')
        assert site.charged(second, tokens(1000, 100)) == (3400000, 'USD')

    assert site.ask(tokens(2000, 100), meanwhile=change).status == 200
    until(lambda: site.rows(0)[-1] == ('m-1', 2200000, 'USD', first))


def test_prompts_and_tiers_of_service_have_rates_of_their_own(site):
    def price(*args):
        return site.price('--model', 'm-*', '--currency', 'CNY', *args)

    plain = price('--input', '1', '--output', '2')
    longer = price('--input', '2', '--output', '3', '--above', '2000')
    flex = price('--input', '0.5', '--output', '1', '--tier', 'flex')
    assert site.charged(flex, tokens(2001, 10), service_tier='flex') == (1010500, 'CNY')
    assert site.charged(longer, tokens(2001, 10, cached=2000)) == (4032000, 'CNY')
    assert site.charged(plain, tokens(2000, 10)) == (2020000, 'CNY')
