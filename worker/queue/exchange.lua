-- exchange.lua: the one call a worker makes. In a single atomic step it
--   1 settles what the worker reports (items done, failed, handed back) and renews its leases,
--   2 takes back one batch whose lease has expired,
--   3 leases the next batch.
--
-- KEYS[1] ready     LIST    raw payloads, first in first out; the only key others may write
-- KEYS[2] state     HASH    epoch, counters and times of the run
-- KEYS[3] leases    ZSET    batch id, scored by the time its lease expires
-- KEYS[4] delayed   ZSET    envelope, scored by the time it is due
-- KEYS[5] suspects  LIST    envelopes of items whose worker died; leased one at a time
-- KEYS[6] dead      STREAM  dead letters
-- KEYS[7] results   STREAM  outcomes that carry a result
-- KEYS[8] workers   HASH    worker id -> number of its last call
-- Two more keys per open batch, named by KEYS[9] .. 'b:' .. id and KEYS[9] .. 'd:' .. id:
--   b  LIST    origin ':' time of the lease in ms, then the items. Origin is the id of the first item where they are
--              fresh payloads with consecutive ids; 0 where they are envelopes; -1 where there is one suspect's envelope
--   d  STRING  bitmap of finished positions, lowest bit first; absent while none was reported
-- KEYS[9] is the prefix that all keys but `ready` share; no key has that very name.
--
-- An envelope is an item with a past: id ':' attempts ':' crashes ':' payload.
--
-- ARGV[1] epoch of the run as the worker knows it, '' on its first call
-- ARGV[2] worker id
-- ARGV[3] number of this call; a repeated number is a retry after a lost reply: nothing is settled twice.
--         A lower one is a call that was overtaken by its own retry on the way: it changes nothing at all
-- ARGV[4] lease, ms
-- ARGV[5] items wanted, 0 for none
-- ARGV[6] cap on the payload bytes of the new batch
-- ARGV[7] times a suspect, leased alone, may take its worker down before it is dead
-- ARGV[8] number of dead letters above which the run stops early, 0 for never
-- ARGV[9] ms for which the keys are kept once the run has drained, 0 for ever
-- ARGV[10] cap on the number of results, 0 for none
-- ARGV[11] number of batches reported; then for each of them:
--   batch id, 'keep' (renew) or 'release' (nothing is left of it), bitmap ('' when unchanged),
--   number of finished positions that were reported before, number of items newly done, number of verdicts;
--   then for each verdict:
--   position (from 1), kind, delay ms, text
--   kinds: failed  a failed attempt; back after the delay
--          snoozed not an attempt; back after the delay
--          returned   not an attempt, as the item was not run to its end; back at once
--          dead    a failed attempt, the last one; text goes into the dead letter
--          done    done (and counted among the done); text goes into the results
--
-- Reply: { status, wait ms, epoch, batch id, suspects waiting, lost batch ids, forgotten }
--   status: items | wait | paused | drained | stopped | unseeded | vanished
--   wait:   ms until something is due to change by itself
--   batch id: worker id ':' number of the call, '' unless status is items. The caller reads b itself, in the same round
--           trip: to send payloads by way of a script costs several times as much
--   lost:   reported batches whose lease had expired; the report about them changed nothing
--   forgotten: id, bitmap, id, bitmap, … of reported batches of which this server knows another number of
--           finished positions than were reported before: it has lost its last second or so, by a crash or
--           a failover. Their leases were renewed, but nothing was settled; all that is not in the bitmap
--           must be reported again

local ready, state, leases, delayed, suspects = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local dead, results, workers, prefix = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local worker, callno = ARGV[2], ARGV[3]
local lease, want, max_bytes = tonumber(ARGV[4]), math.min(tonumber(ARGV[5]), 5000), tonumber(ARGV[6])
local max_crashes, stop_after = tonumber(ARGV[7]), tonumber(ARGV[8])
local retention, max_results = tonumber(ARGV[9]), tonumber(ARGV[10])
local call = redis.call

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bid = worker .. ':' .. callno

local known = call('HMGET', state, 'epoch', 'taken', 'seeded', 'sealed', 'started_at', 'finished_at', 'dead', 'stopped', 'paused', 'heard')
local epoch = known[1]
local taken = tonumber(known[2] or 0)
local ready_len = call('LLEN', ready)

if not epoch then
  return { ARGV[1] == '' and 'unseeded' or 'vanished', 1000, '', '', 0, {}, {} }
end
if (ARGV[1] ~= '' and ARGV[1] ~= epoch) or taken + ready_len < tonumber(known[3] or 0) then
  return { 'vanished', 0, epoch, '', 0, {}, {} }
end

local last = call('HGET', workers, worker)
if last and tonumber(callno) < tonumber(last) then
  return { 'wait', 0, epoch, '', 0, {}, {} }
end
local repeated = last == callno

-- A full Redis refuses a script's writes, unless one went before that takes no memory, as this one, which does nothing: what is
-- in the queue is worked off, which makes room, while nobody can add to it.
call('ZREM', leases, '')
call('HSET', workers, worker, callno)

-- While nobody calls, this server is away, or all workers are. They can renew nothing then, so no more than a third of a
-- lease runs out meanwhile, or a second, within which somebody calls if anybody can: else all that was in hand when
-- Redis failed would be run a second time, and a suspect be blamed for it.
local heard = tonumber(known[10] or now)
local excess = math.floor(now - heard - math.max(lease / 3, 1000))
if excess > 0 then
  for _, id in ipairs(call('ZRANGE', leases, 0, -1)) do call('ZINCRBY', leases, excess, id) end
end
if not known[10] or math.abs(now - heard) > 500 then call('HSET', state, 'heard', now) end

local function count(field, by)
  if by ~= 0 then call('HINCRBY', state, field, by) end
end

local dead_count = tonumber(known[7] or 0)

local function origin_of(head) return tonumber(string.match(head, '^(-?%d+):')) end

-- item answers id, attempts, crashes and payload of what stands at a position of a batch.
local function item(origin, position, value)
  if origin > 0 then return string.format('%.0f', origin + position - 1), 0, 0, value end
  local _, last, id, attempts, crashes = string.find(value, '^(%d+):(%d+):(%d+):')
  return id, tonumber(attempts), tonumber(crashes), string.sub(value, last + 1)
end

local function envelope(id, attempts, crashes, payload)
  return id .. ':' .. attempts .. ':' .. crashes .. ':' .. payload
end

local function bury(id, attempts, crashes, payload, text)
  call('XADD', dead, '*', 'id', id, 'attempts', attempts, 'crashes', crashes, 'item', payload, 'report', text)
  count('dead', 1)
  dead_count = dead_count + 1
end

local function drop(id)
  call('ZREM', leases, id)
  call('DEL', prefix .. 'b:' .. id, prefix .. 'd:' .. id)
end

-- 1 Settle.
local lost, forgotten, held, arg = {}, {}, 0, 12
for _ = 1, tonumber(ARGV[11]) do
  local id, action, bitmap = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2]
  local before, done, verdicts = tonumber(ARGV[arg + 3]), tonumber(ARGV[arg + 4]), tonumber(ARGV[arg + 5])
  arg = arg + 6
  local mine = call('ZSCORE', leases, id)
  if mine and action == 'keep' then held = held + 1 end
  if not mine then
    if not repeated then lost[#lost + 1] = id end
    arg = arg + 4 * verdicts
  elseif repeated and action == 'keep' then
    arg = arg + 4 * verdicts
  elseif call('BITCOUNT', prefix .. 'd:' .. id) ~= before then
    forgotten[#forgotten + 1] = id
    forgotten[#forgotten + 1] = call('GET', prefix .. 'd:' .. id) or ''
    if action == 'release' then held = held + 1 end
    call('ZADD', leases, now + lease, id)
    arg = arg + 4 * verdicts
  else
    local stored, gone = prefix .. 'b:' .. id, done
    local origin = verdicts > 0 and origin_of(call('LINDEX', stored, 0))
    for _ = 1, verdicts do
      local position, kind = tonumber(ARGV[arg]), ARGV[arg + 1]
      local delay, text = tonumber(ARGV[arg + 2]), ARGV[arg + 3]
      arg = arg + 4
      local item_id, attempts, crashes, payload = item(origin, position, call('LINDEX', stored, position))
      if kind == 'done' then
        call('XADD', results, '*', 'id', item_id, 'item', payload, 'report', text)
      else
        gone = gone + 1
        if kind == 'failed' then
          call('ZADD', delayed, now + delay, envelope(item_id, attempts + 1, crashes, payload))
          count('failed', 1)
        elseif kind == 'snoozed' or kind == 'returned' then
          call('ZADD', delayed, now + delay, envelope(item_id, attempts, crashes, payload))
          count(kind, 1)
        else
          bury(item_id, attempts + 1, crashes, payload, text)
        end
      end
    end
    count('done', done)
    count('leased', -gone)
    if action == 'release' then
      drop(id)
    else
      call('ZADD', leases, now + lease, id)
      if bitmap ~= '' then call('SET', prefix .. 'd:' .. id, bitmap) end
    end
  end
end
if max_results > 0 then
  local over = call('XLEN', results) - max_results
  if over > 0 then
    call('XTRIM', results, 'MAXLEN', max_results)
    count('results_dropped', over)
  end
end

-- 2 Take back. The worker of this batch died, or was away for longer than its lease.
local expired = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1)[1]
if expired then
  local items = call('LRANGE', prefix .. 'b:' .. expired, 0, -1)
  local origin = origin_of(table.remove(items, 1))
  local bitmap = call('GET', prefix .. 'd:' .. expired) or ''
  local back = 0
  for position = 1, #items do
    local byte = string.byte(bitmap, math.floor((position - 1) / 8) + 1) or 0
    if math.floor(byte / 2 ^ ((position - 1) % 8)) % 2 == 0 then
      local id, attempts, crashes, payload = item(origin, position, items[position])
      -- Only an item that had its worker to itself can be blamed for that worker's end.
      if origin == -1 then crashes = crashes + 1 end
      if crashes >= max_crashes then
        bury(id, attempts, crashes, payload, '')
      else
        call('RPUSH', suspects, envelope(id, attempts, crashes, payload))
      end
      back = back + 1
    end
  end
  drop(expired)
  count('leased', -back)
  count('expired', 1)
end

-- 3 Lease.

local batch = prefix .. 'b:' .. bid

-- gather calls take(k), which answers up to k payloads or envelopes, in growing steps until the batch has n of them or
-- enough bytes: a few huge payloads must not make one huge batch.
local function gather(n, take)
  local size, bytes, step = 0, 0, 4
  while size < n and bytes < max_bytes do
    local more = take(math.min(n - size, step))
    if not more or #more == 0 then break end
    call('RPUSH', batch, unpack(more))
    size = size + #more
    for i = 1, #more do bytes = bytes + #more[i] end
    step = math.max(1, math.min(4 * step, math.floor((max_bytes - bytes) * size / (bytes + 1))))
  end
  return size
end

local function take_due(k)
  local due = call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, k)
  if #due > 0 then call('ZREM', delayed, unpack(due)) end
  return due
end

local function take_ready(k) return call('LPOP', ready, k) end

-- gather_ready does for payloads what gather does, without a look at any of them: a SORT that does not sort is Redis's
-- way to copy a part of a list. Each step replaces what the one before it has copied.
local function gather_ready(n)
  local size = math.min(n, 4)
  while true do
    local copied = redis.pcall('SORT', ready, 'BY', 'nosort', 'LIMIT', 0, size, 'STORE', batch)
    local bytes = size < n and redis.pcall('MEMORY', 'USAGE', batch, 'SAMPLES', 0) or 0
    if type(copied) ~= 'number' or type(bytes) ~= 'number' then -- not allowed, or not known, here
      call('DEL', batch)
      return gather(n, take_ready)
    end
    local more = size < n and math.min(n, 8 * size, math.floor(size * max_bytes / bytes)) or 0
    if more <= size then break end
    size = more
  end
  call('LTRIM', ready, size, -1)
  return size
end

local suspects_len = call('LLEN', suspects)

local function next_batch()
  -- A suspect runs in a worker that holds nothing else, so that it can take nothing else down.
  if suspects_len > 0 and held == 0 then
    suspects_len = suspects_len - 1
    call('RPUSH', batch, call('LPOP', suspects))
    return -1, 1
  end
  -- Guided self-scheduling: nobody takes more than half of an equal share of what is left.
  local due = call('ZCOUNT', delayed, '-inf', now)
  local share = math.ceil((ready_len + due) / (2 * (call('ZCARD', leases) + 1)))
  local n = math.min(want, share)
  if due > 0 then return 0, gather(n, take_due) end
  if ready_len == 0 then return 0, 0 end
  local size = gather_ready(n)
  count('taken', size)
  ready_len = ready_len - size
  return taken + 1, size
end

local status = 'wait'
if stop_after > 0 and dead_count > stop_after then
  status = 'stopped'
  if not known[8] then call('HSET', state, 'stopped', 1) end
elseif want > 0 and not known[9] then
  if repeated and call('EXISTS', batch) == 1 then
    status = 'items'
  else
    local origin, size = next_batch()
    if size > 0 then
      status = 'items'
      call('LPUSH', batch, string.format('%.0f:%.0f', origin, now))
      call('ZADD', leases, now + lease, bid)
      count('leased', size)
      if known[8] then call('HDEL', state, 'stopped') end
      if not known[5] then call('HSET', state, 'started_at', now) end
      if known[6] then
        call('HDEL', state, 'finished_at')
        for _, key in ipairs({ state, dead, results, workers }) do call('PERSIST', key) end
      end
    end
  end
end

local wait = 0
if status == 'wait' then
  local next_due = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  local next_expiry = call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
  if known[4] and ready_len == 0 and suspects_len == 0 and not next_due and not next_expiry then
    status = 'drained'
    if not known[6] then
      call('HSET', state, 'finished_at', now)
      if retention > 0 then
        for _, key in ipairs({ state, dead, results, workers }) do call('PEXPIRE', key, retention) end
      end
    end
  else
    if known[9] then status = 'paused' end
    wait = math.max(0, math.min(tonumber(next_due) or now + 60000, tonumber(next_expiry) or now + 60000) - now)
  end
end
return { status, wait, epoch, status == 'items' and bid or '', suspects_len, lost, forgotten }
