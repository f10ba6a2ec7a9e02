"""prototype"""
from __future__ import annotations
import math
from collections import deque
from humeai_async.pacing import TokenBucket

START_RATE = 24.0
DOUBLING = 0.25
FIRST = 8
OPEN, CLOSED = 0, 1
MARGIN = 0.985
SHRUG = 0.05

class Pacer:
    def __init__(self, now, rate=None, burst=None):
        self.declared = rate is not None
        self.learning = not self.declared
        self.ramp = self.learning
        r = rate if rate else START_RATE
        self.base = r
        self.bucket = TokenBucket(r, burst or (max(1.0, SHRUG * r) if rate else 4.0), now, 1.0 if rate else 4.0)
        self.peak = TokenBucket(math.inf, 1.0, now, 1.0)
        self.window = FIRST if self.learning else math.inf
        self.in_flight = 0
        self.era = 0
        self.state = OPEN
        self.hold = 0.0
        self.delay = 0.0
        self.probes = 0
        self.pressed = False
        self.accepted = 0
        self.refusals = 0
        self.grown_at = now
        self.active = 0.0     # growth clock
        self.anchors = deque(maxlen=16)
        self.lower = now
        self.low_res = 0.0
        self.started = None
        self.first = True

    @property
    def probing(self):
        return self.state == CLOSED and not self.hinted

    hinted = False

    def ready_in(self, now, cost):
        if self.state == CLOSED:
            self.pressed = True
            if now < self.hold:
                return self.hold - now
            return math.inf if self.probes else 0.0
        w = self.bucket.wait(now, cost)
        if w > 0:
            self.pressed = True
            return w
        if self.peak.rate < math.inf:
            w = self.peak.wait(now, 1.0)
            if w > 0: return w
        if self.in_flight >= self.window:
            self.pressed = True
            return math.inf
        return 0.0

    def take(self, now, cost):
        if self.started is None:
            self.started = now
            self.anchors.append((now, 0.0, 0))
            self.grown_at = now
        self.bucket.take(now, cost)
        if self.peak.rate < math.inf: self.peak.take(now, 1.0)
        self.in_flight += 1
        if self.state == CLOSED:
            self.probes += 1
            self.probe_sent = now
        return self.era

    def answered(self, now, era, sent, cost, status, retry_after, quotas):
        self.in_flight -= 1
        fresh = era == self.era
        if status == 429:
            self.refusals += 1
            self.refused(now, fresh, sent, retry_after)
        elif status is None:
            if fresh and self.state == CLOSED:
                self.probes = 0
                self.hold = max(self.hold, now + self.delay)
        else:
            self.accepted += cost
            if self.state == CLOSED:
                if fresh: self.reopen(now, sent)
            else:
                self.grow(now)

    def refused(self, now, fresh, sent, ra):
        if self.state == OPEN:
            if not fresh: return_early = True
            else: return_early = False
            if return_early and ra is None:
                return
            if return_early:
                pass
            self.state = CLOSED
            self.era += 1
            self.probes = 0
            self.closed_at = now
            self.lower = sent
            self.delay = 0.01
            self.hold = now + self.delay
            self.hinted = False
            self.close_rate = self.bucket.rate
            self.spent_tokens = self.bucket.tokens(now)
            self.bucket.set_rate(now, self.bucket.rate, max(1.0, self.bucket.size))
        elif fresh:
            self.lower = max(self.lower, sent)
            self.probes = 0
            self.delay = min(self.delay * 1.5, 0.25)
            self.hold = max(self.hold, now + self.delay)
        if ra is not None:
            self.hinted = True
            self.hold = max(self.hold, now + min(ra, 600))
            coarse = 1.0 if ra >= 1 and ra == int(ra) else 0.0
            self.lower = max(self.lower, now + ra - coarse)

    def reopen(self, now, sent):
        self.state = OPEN
        self.era += 1
        self.probes = 0
        lower = min(self.lower, sent)
        opened = (lower + sent) / 2
        err = (sent - lower) / 2
        closed = sent - self.closed_at
        count = self.accepted - 1
        m = self.measure(opened, err, count)
        self.anchors.append((opened, err, count))
        if self.learning:
            if self.ramp:
                self.ramp = False
                self.window = math.inf
                quick = opened - self.closed_at < 0.1 * (opened - self.started)
                t0 = self.anchors[0][0]
                m = count / (opened - t0)
                self.base = m * (0.5 if quick else 1.0)
                self.quick = quick
                if quick: self.anchors.popleft()   # start is no anchor: the bucket was full
            elif m is not None:
                self.base = m
            r = self.base * MARGIN
            debt = min(r * (sent - lower), r)
        else:
            r = self.bucket.rate
            debt = min(r * (sent - lower), r)
        size = max(1.0, SHRUG * r, debt)
        self.bucket = TokenBucket(r, size, now, debt)
        self.peak = TokenBucket(2 * r, max(1.0, 0.02 * r), now, 1.0)
        self.active = 0.0
        self.grown_at = now
        self.pressed = False

    def measure(self, at, err, count):
        for t, e, c in reversed(self.anchors):
            span = at - t
            if span <= 0: continue
            u = (err + e) / span + 1 / max(1, count - c)
            if u < 0.05: return (count - c) / span
            if span > 5: break
        # nothing precise: oldest in 5 s
        for t, e, c in self.anchors:
            span = at - t
            if 0 < span <= 5:
                u = (err + e) / span + 1 / max(1, count - c)
                if u < 0.3: return (count - c) / span
        return None

    def grow(self, now):
        if not self.learning: return
        dt = now - self.grown_at
        if self.ramp:
            if self.pressed:
                self.window += 1
                r = self.bucket.rate * 2 ** (min(dt, 0.1) / DOUBLING)
                self.bucket.set_rate(now, r, max(4.0, 0.02 * r))
                self.pressed = False
                self.grown_at = now
            elif dt > 0.1: self.grown_at = now
            return
        if dt < 0.01: return
        self.grown_at = now
        if not self.pressed: return
        self.pressed = False
        self.active += min(dt, 0.1)
        a = self.active
        f = MARGIN
        if a > 1.0: f += 0.01 * (math.exp(2 * (a - 1.0)) - 1)
        r = self.base * f
        tokens = self.bucket.tokens(now)
        self.bucket.set_rate(now, r, max(1.0, SHRUG * r, tokens))
        self.peak.set_rate(now, 2 * r, max(1.0, 0.02 * r))
