-- keys.lua is put in front of every other script of this folder. It names the keys of a queue, which each script gets in this order:
--
-- KEYS[1] ready     LIST    raw payloads, first in first out; the only key that others may write
-- KEYS[2] state     HASH    epoch, counters, times and flags of the run; see below
-- KEYS[3] leases    ZSET    batch id, scored by the time in ms at which its lease expires
-- KEYS[4] delayed   ZSET    envelope, scored by the time in ms at which it is due
-- KEYS[5] suspects  LIST    envelopes of items that were aboard two crashes; leased one at a time
-- KEYS[6] dead      STREAM  dead letters
-- KEYS[7] results   STREAM  outcomes that carry a result
-- KEYS[8] workers   HASH    worker id -> number of its last call
-- KEYS[9] joining   LIST    names of lists, once staged and now published, that join the end of `ready` bit by bit
-- KEYS[10] history   STREAM  attempts, where all are recorded, and items that were cancelled
-- KEYS[11] seen      SET     fingerprints of all items of a run whose items are unique
-- KEYS[12] known     SET     fingerprints of done items, kept for later runs that leave them out
-- KEYS[13]          the prefix that all keys but `ready` share; no key has that very name
--
-- An open batch has two more keys: <prefix>b:<batch id> and <prefix>d:<batch id>, see exchange.lua. Idle workers wait at a list
-- <prefix>bell, from which each of them takes one element; it is there for a second.
--
-- The life of a run, as its state has it:
--   unseeded  there is no epoch. A worker waits; one that has seen an epoch before reports that the run has vanished
--   open      publish.lua or a seal has written the epoch. Nothing expires
--   left      the run was stopped early and all workers have left it: its items and records expire after the retention. Whoever goes
--             on with it before makes it open. After that the state shows that items are lost
--   drained   finished_at is set: the records of items expire after the retention
-- The state, some hundred bytes, stays until a purge. So the same seed adds nothing, and a worker made later finds the run drained,
-- at any time after. Only if the queue will have no other seed, it expires with the rest of an ended run. New items make the run open.
-- Data that Redis has lost shows in each of them: the epoch is gone or another, or fewer items were taken and are waiting than
-- were seeded. Other fields of the state:
--   seed:<name>  number of items of the seed of that name
--   began_at     time in ms at which somebody first seeded the queue, or tried to
--   seeder …     who seeds the queue, see seeding.lua
--   taken        items that were leased for the first time, so the id of the last of them
--   unjoined     items in the lists that `joining` names
--   last_call    time of the last call of a worker or seeder by the server's clock, in ms, give or take half a second
--   clock_back   ms by which the server's clock went back, all in all
--   outages      ms for which the clock of the leases stood still, all in all
--   stopped_at   time of the last report since the run was stopped early
--   results_bytes, history_bytes, results_dropped, history_dropped  see trim
--   alone        suspects that run now
--   watcher      the idle worker that a push wakes, ' ', and until when it counts; the name is empty once it has found work
--   isolated     the worker that stops leasing so that it can run a suspect, and until when
--   settings     JSON, of the worker that started last
--   broken       why a worker could run no item; it goes when a worker starts, or an attempt at an item has ended
--   used_until   time in µs, whole, up to which the items that were leased use up the rate
--   limited_until  time in ms at which the rate allows the next item, as of the last time that it held one back
--   last_step    what has become of the last step, see laststep.lua; absent while no worker has one
--   idle_until   time in ms until which a worker counts as idle that has found nothing for a slot
--   turn         what the last batch was of, when there were due and fresh items: due | fresh
--   unique       1 if no payload may be in the run twice
--   skipped      items that seeds have left out, because an earlier run has done them
--   cancelled    items that were waiting and were cancelled
--   rotated      items that cancel.lua has moved from the head of `ready` to its end, ever
--
-- An envelope is an item that was leased before: id ':' attempts ':' crashes ':' snoozes ':' group ':' payload.
--   crashes  workers that died while they had the item; beyond the second, only those that ran it alone are counted
--   group    how many items may be leased together with this one, itself included; 0 for any number
local ready, state, leases, delayed, suspects, dead, results, workers, joining, history, seen, known, prefix = unpack(KEYS, 1, 13)
local call = redis.call

-- Three clocks, in ms since 1970:
--   server_now  the server's. It goes back when somebody sets it, or after a failover to a server whose clock is behind
--   now         the queue's, which goes back by half a second at most: the state's times are of this clock, so what is due stays as far away
--   lease_now   that of the leases: of batches, of the last step and of seeding. It stands still while the server is away
local clock = call('TIME')
local server_micros = clock[1] * 1000000 + clock[2] -- a double holds it exactly
local server_now = math.floor(server_micros / 1000)
local last_call, clock_back, outages = unpack(call('HMGET', state, 'last_call', 'clock_back', 'outages'))
last_call, clock_back, outages = tonumber(last_call), tonumber(clock_back or 0), tonumber(outages or 0)
local now_micros = math.max(server_micros, (last_call or 0) * 1000) + clock_back * 1000
local now = math.floor(now_micros / 1000)
local lease_now = now - outages

local function envelope(id, attempts, crashes, snoozes, group, payload)
  return id .. ':' .. attempts .. ':' .. crashes .. ':' .. snoozes .. ':' .. group .. ':' .. payload
end

-- fingerprint stands for a payload in a set: 80 bits of its SHA-1, as 20 hexadecimal digits.
local function fingerprint(payload) return string.sub(redis.sha1hex(payload), 1, 20) end

-- append appends any number of items to `ready`.
local function append(payloads)
  for i = 1, #payloads, 1000 do call('RPUSH', ready, unpack(payloads, i, math.min(i + 999, #payloads))) end
end

-- add appends items to `ready`, without those that a run of unique items has seen. It returns how many it has appended.
local function add(payloads)
  if call('HGET', state, 'unique') == '1' then
    local fresh = {}
    for _, payload in ipairs(payloads) do
      if call('SADD', seen, fingerprint(payload)) == 1 then fresh[#fresh + 1] = payload end
    end
    payloads = fresh
  end
  append(payloads)
  return #payloads
end

-- join moves items of lists that were published into a queue which was not empty: a whole list by a rename if the queue is
-- empty now, else as many items as keep Redis for about a millisecond. It returns the length of `ready`.
local function join()
  local length = call('LLEN', ready)
  local moved, bytes = 0, 0
  local list = call('LINDEX', joining, 0)
  while list and bytes < 65536 do
    if length + moved == 0 then
      call('RENAME', list, ready)
      moved = call('LLEN', ready)
    else
      local payload = call('LMOVE', list, ready, 'LEFT', 'RIGHT')
      if payload then
        moved, bytes = moved + 1, bytes + #payload + 64
      end
    end
    if call('EXISTS', list) == 0 then
      call('LPOP', joining)
      list = call('LINDEX', joining, 0)
    end
  end
  if moved > 0 then call('HINCRBY', state, 'unjoined', -moved) end
  return length + moved
end

-- trim drops the oldest entries of a stream beyond a cap, 'number:bytes' with 0 for none, after some bytes were added to it. It counts
-- the entries that it drops, and the bytes that are left, taking the entries for equally large.
local function trim(stream, name, cap, added)
  if added == 0 then return end
  local most, most_bytes = string.match(cap, '^(%d+):(%d+)$')
  most, most_bytes = tonumber(most), tonumber(most_bytes)
  local length, bytes = call('XLEN', stream), call('HINCRBY', state, name .. '_bytes', added)
  local over = math.max(most > 0 and length - most or 0, most_bytes > 0 and math.ceil((bytes - most_bytes) * length / bytes) or 0)
  over = math.min(over, length - 1)
  if over > 0 then
    call('XTRIM', stream, 'MAXLEN', length - over)
    call('HINCRBY', state, name .. '_dropped', over)
    call('HINCRBY', state, name .. '_bytes', -math.floor(bytes * over / length))
  end
end

-- ENTRY is what an entry of a stream takes beside its texts, in bytes.
local ENTRY = 140

-- each_key calls f for all keys that a queue has while no batch is open.
local function each_key(f)
  for _, key in ipairs(call('LRANGE', joining, 0, -1)) do f(key) end
  for i = 1, 12 do f(KEYS[i]) end
end

-- forget_last_step makes the last step run again, at the next end of the run.
local function forget_last_step()
  call('HDEL', state, 'last_step', 'last_worker', 'last_until', 'last_attempts', 'last_crashes', 'last_record', 'last_outdated')
end

-- ring wakes idle workers, n at most. A worker that begins to wait within a second is woken, too: it may have asked before.
local function ring(n)
  local bell = prefix .. 'bell'
  for i = call('LLEN', bell) + 1, n, 1000 do
    local rings = {}
    for j = i, math.min(n, i + 999) do rings[#rings + 1] = '' end
    call('RPUSH', bell, unpack(rings))
  end
  call('PEXPIRE', bell, 1000)
end

-- reopen makes the keys of a run that had ended, or was left by its workers, stay for good again.
local function reopen()
  each_key(function(key) call('PERSIST', key) end)
  call('HDEL', state, 'finished_at', 'left')
end

-- Idle workers call at least as often, in ms. And after an outage all workers come back within the other time after the first has.
local IDLE_CALLS, RECONNECT = 1600, 10000

-- note_call notes a call of a worker or seeder whose leases last that many ms. While nobody calls, this server is away, or all
-- workers are, and they can renew nothing. So no more than a third of a lease runs out meanwhile. Otherwise everything that was leased
-- when Redis failed would be run a second time, and be suspected. After a gap that two renewals would have filled, what is left of
-- a short lease is made long enough for all workers to come back.
local function note_call(lease)
  local gap = server_now - (last_call or server_now)
  local excess = math.floor(gap - lease / 3)
  if gap > math.max(2 * lease / 3, IDLE_CALLS) then excess = excess + math.max(0, math.ceil(RECONNECT - lease / 3)) end
  if gap < -500 then
    call('HINCRBY', state, 'clock_back', -gap)
  elseif excess > 0 then
    lease_now = lease_now - excess
    call('HINCRBY', state, 'outages', excess)
  end
  if not last_call or math.abs(gap) > 500 or excess > 0 then call('HSET', state, 'last_call', server_now) end
end
