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
SLOTS = 256
MAXW = 30.0

class Log:
    """accepted calls in slots"""
    def __init__(self):
        self.slots = deque()   # [time, count]
        self.total = 0.0
        self.grain = 0.005
        self.keep = 3.0
    def add(self, t, cost):
        s = self.slots
        if s and t - s[-1][0] < self.grain: s[-1][1] += cost   # slot time = first; conservative handled by grain
        else: s.append([t, cost])
        while s and s[0][0] < t - self.keep: s.popleft()
    def count(self, a, b):
        return sum(c for t, c in self.slots if a < t <= b)

class Gate:
    """sliding count over window"""
    def __init__(self, window, log, now):
        self.window = window
        self.q = deque([t, c] for t, c in log.slots if t > now - window)
        self.total = sum(c for _, c in self.q)
        self.grain = window / SLOTS
    def add(self, t, cost):
        q = self.q
        if q and t - q[-1][0] < self.grain: q[-1][1] += cost
        else: q.append([t, cost])
        self.total += cost
    def wait(self, now, room, cost):
        """room= allowed total (capacity - in flight)"""
        q = self.q
        edge = now - self.window
        while q and q[0][0] + self.grain/2 <= edge:
            self.total -= q.popleft()[1]
        if self.total + cost <= room: return 0.0
        if not q: return 0.0 if room >= 1 else math.inf
        return max(1e-4, q[0][0] + self.grain/2 - edge)

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
        self.closings = deque(maxlen=16)
        self.lower = now
        self.started = None
        self.log = Log()
        self.gate = None
        self.rtt = math.inf
        self.cost429 = 0
        self.f = 1.0
        self.note = []

    hinted = False
    coarse = False
    sure = True
    trust = 10
    confirmed = False
    @property
    def probing(self):
        return not self.hinted and (self.state == CLOSED or self.trust < 3)

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
        if self.gate is not None:
            w = self.gate.wait(now, self.bucket.rate * self.gate.window - self.in_flight, cost)
            if w > 0:
                self.pressed = True
                return w
        if self.in_flight >= self.window:
            self.pressed = True
            return math.inf
        return 0.0

    def take(self, now, cost):
        if self.started is None:
            self.started = now
            self.anchors.append((now, now, 0))
            self.grown_at = now
        self.bucket.take(now, cost)
        if self.peak.rate < math.inf: self.peak.take(now, 1.0)
        self.in_flight += 1
        if self.state == CLOSED:
            self.probes += 1
        return self.era

    def answered(self, now, era, sent, cost, status, retry_after, quotas):
        self.in_flight -= 1
        fresh = era == self.era
        if status is not None and now - sent < self.rtt: self.rtt = now - sent
        if status == 429:
            self.refusals += 1
            self.refused(now, fresh, sent, retry_after)
        elif status is None:
            if fresh and self.state == CLOSED:
                self.probes = 0
                self.hold = max(self.hold, now + self.delay)
        else:
            if self.state == CLOSED:
                if fresh: self.reopen(now, sent)
            else:
                if fresh: self.trust += 1
                self.grow(now)
            self.accepted += cost
            t = now - self.rtt / 2
            self.log.add(t, cost)
            if self.gate is not None: self.gate.add(now - self.rtt, cost)

    def refused(self, now, fresh, sent, ra):
        if self.state == OPEN:
            if not fresh and ra is None: return
            self.state = CLOSED
            self.era += 1
            self.probes = 0
            self.closed_at = sent
            self.close_count = self.accepted
            self.lower = sent
            self.delay = 0.01
            self.hold = now + self.delay
            self.hinted = self.coarse = False
            self.cost429 = 0
            self.close_rate = self.bucket.rate
        elif fresh:
            self.lower = max(self.lower, sent)
            self.probes = 0
            self.delay = min(self.delay * 1.5, 0.25)
            self.hold = max(self.hold, now + self.delay)
        self.cost429 += 1
        if ra == 1.0 and self.learning and not self.ramp:
            ra = None  # whole seconds cannot say less
        if ra is not None:
            self.hinted = True
            self.hold = max(self.hold, now + min(ra, 600))
            self.coarse = ra >= 1 and ra == int(ra)
            self.lower = max(self.lower, now + ra - self.coarse - self.rtt/2)

    def span(self, lo, hi, count):
        """span from interval, snapped to customary window lengths nearest to expectation"""
        near = [w for w in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0) if lo - 0.01 - self.rtt < w <= hi + 0.01 + self.rtt]
        if near:
            return near[0], True
        return lo + (hi - lo) * 0.25, False

    def reopen(self, now, sent):
        self.state = OPEN
        self.trust = 0
        self.era += 1
        self.probes = 0
        upper = sent
        lower = min(self.lower, sent)
        opened = (lower + upper) / 2
        count = self.accepted
        if self.learning: self.learn(lower, upper, count)
        else: self.base = self.bucket.rate
        self.anchors.append((lower, upper, count))
        r = self.base * MARGIN if self.learning else self.base
        debt = min(r * (sent - lower), r)
        size = max(1.0, SHRUG * r, debt)
        if self.gate: size = max(size, r*0.5)
        self.bucket = TokenBucket(r, size, now, debt)
        self.peak = TokenBucket(3 * r, max(1.0, 0.02 * r), now, 1.0)
        self.active = 0.0
        self.grown_at = now
        self.pressed = False
        self.note.append((round(now-self.started,2), round(self.closed_at-self.started,2), round(lower-self.started,2), round(self.base,1), self.gate.window if self.gate else None, self.cost429))

    def learn(self, lower, upper, count):
        opened = (lower + upper)/2
        self.sure = True
        if self.ramp:
            self.ramp = False
            self.window = math.inf
            t0 = self.started
            self.base = count / (opened - t0)
            w, snapped = self.span(lower - t0, upper - t0, count)
            quick = not self.coarse and (upper - self.closed_at) < 0.05 * (upper - t0)
            self.sure = snapped
            if quick:
                self.base *= 0.5
                self.anchors.clear()
            else:
                self.base = count / w * (1 if snapped else 1.1)
                if w <= MAXW:
                    self.log.keep = 2 * w + 2
                    self.gate = Gate(w, self.log, upper)
            self.confirmed = snapped and not quick
            return
        g = self.gate
        err = (upper - lower) / 2
        if g and not self.confirmed and self.anchors:
            l, u, c = self.anchors[-1]
            span = opened - (l + u)/2
            err2 = err + (u - l)/2
            if not self.coarse and err2 < 0.15*span and 0.5 * g.window < span < 1.5 * g.window and upper - self.closed_at > 0.04 * span and count > c:
                near = [w for w in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0) if abs(w - span) <= err2 + 0.02]
                if near: span = near[0]; self.confirmed = True
                self.base = (count - c) / span
                self.gate = Gate(span, self.log, upper)
                return
        if self.coarse:
            w = self.gate.window if self.gate else 2.0
            self.base = self.log.count(self.closed_at - w, self.closed_at + 1) / w
            self.sure = False
            return
        if g and err < 0.05 * g.window:
            w = g.window
            m = self.log.count(opened - w, opened) / w
            if not self.confirmed:
                v = w
                while v > w / 2:
                    v *= 0.95
                    m = max(m, self.log.count(opened - v, opened) / v)
                m = max(m, self.measure(lower, upper, count) or 0) * 1.03
                self.sure = False
            self.base = m
            return
        m = self.measure(lower, upper, count)
        if m is not None: self.base = m

    def measure(self, lo, hi, count):
        best = None
        for l, u, c in reversed(self.anchors):
            a, b = lo - u, hi - l
            if b <= 0 or count - c < 1: continue
            w = (a+b)/2; err = (b - a)/2/w + 1 / (count - c)
            if w <= 0: continue
            if err < 0.05: return (count - c) / w
            if best is None or err < best[0]: best = (err, (count - c)/w)
            if w > 5: break
        if best and best[0] < 0.3: return best[1]
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
        hold = 1.5 if self.sure else 0.2
        if a > hold: f += 0.01 * (math.exp(2 * (a - hold)) - 1)
        r = self.base * f
        tokens = self.bucket.tokens(now)
        self.bucket.set_rate(now, r, max(1.0, SHRUG * r, tokens))
        self.peak.set_rate(now, 3 * r, max(1.0, 0.02 * r))
