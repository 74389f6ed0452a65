-- exchange.lua: the one call that a worker makes. In a single atomic step it
--   1 settles what the worker reports, and renews its leases,
--   2 takes back one batch whose lease has expired,
--   3 leases the next batch.
--
-- KEYS[1..13]: see keys.lua. One more key per worker:
--   w:<worker id>  STRING  what it last reported of itself; it expires soon after the worker's last call
-- Two more per open batch:
--   b:<batch id>  LIST    origin ':' time of the lease in ms, then the items. Origin is the id of the first item where they
--                         are fresh payloads with consecutive ids; 0 where they are envelopes; -1 where it is one suspect
--   d:<batch id>  STRING  bitmap of finished positions, lowest bit first; absent while none was reported
--
-- ARGV[1]  epoch of the run as the worker knows it, '' on its first call
-- ARGV[2]  worker id
-- ARGV[3]  number of this call. A repeated number is a retry after a lost reply: nothing is settled twice.
--          A lower number is a call that was overtaken by its own retry: it changes nothing at all
-- ARGV[4]  lease, ms
-- ARGV[5]  items wanted, 0 for none
-- ARGV[6]  items that one slot takes at once
-- ARGV[7]  cap on the payload bytes of the new batch
-- ARGV[8]  crashes that an item which runs alone may cause before it is dead
-- ARGV[9]  snoozes that an item may have before it is dead, 0 for any number
-- ARGV[10] dead letters at which the run stops early, 0 for never; with a % at its end, a share of the items that have ended, once a
--          hundred have. A run that can still be a success, see ARGV[20], goes on
-- ARGV[11] ms for which the records are kept once the run has drained, 0 for ever
-- ARGV[12] cap on the results, and on the history, see trim
-- ARGV[13] µs, with a fraction, between two items at the rate that all workers together may lease, 0 for any rate. What was not
--          used within a second, or the time of one item if that is longer, is forgone (a token bucket, in the form of
--          https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm)
-- ARGV[14] 1 if the worker can run a last step after the run, see laststep.lua; else 0
-- ARGV[15] what the worker reports of itself, '' for nothing new
-- ARGV[16] the worker's settings, '' once they are known
-- ARGV[17] the release that the worker belongs to, '' if none, or once it is known
-- ARGV[18] 2 if the worker has nothing to do and rests when it gets nothing, 1 if one of its slots is idle, else 0
-- ARGV[19] 1 if any of the reports has items to push, else 0
-- ARGV[20] dead letters with which the run is still a success; with a % at its end, a share of all items
-- ARGV[21] number of batches reported; then for each of them:
--   batch id, 'keep' (renew) or 'release' (nothing is left of it), bitmap ('' when unchanged), number of finished positions
--   that were reported before, number of items newly done, fingerprints of those of them that later runs leave out (one after
--   another), number of outcomes; then for each outcome:
--   position (from 1), outcome, delay ms, text, entry of the history ('' for none), number of items to push, their payloads
--     failed    a failed attempt; due again after the delay
--     snoozed   not an attempt; due again after the delay, or dead if it was snoozed too often
--     returned  not an attempt; due again at once
--     dead      the last failed attempt; text goes into the dead letter
--     done      done (and counted among the newly done); text goes into the results, if there is any. Only with this outcome
--               are items pushed
--
-- Reply: { status, wait ms, epoch, batch id, isolate, lost batch ids, rolled back, idle, watch }
--   status       items | wait | limited | paused | last | drained | stopped | unseeded | vanished
--   wait         ms until something is due to change by itself; a second at least while paused
--   batch id     worker id ':' number of the call, '' unless status is items. The caller reads b itself, in the same round
--                trip: to send payloads by way of a script costs several times as much
--   isolate      1 if a suspect waits for this worker: it should lease nothing more until it holds nothing
--   lost         reported batches whose lease had expired; the report about them changed nothing
--   rolled back  id, bitmap, id, bitmap, … of reported batches of which this server knows another number of finished
--                positions than were reported before: it has lost its last second or so, by a crash or a failover. Or the
--                report pushes items, and this server is full. Their leases were renewed, but nothing was settled; all that is
--                not in the bitmap must be reported again
--   idle         1 if a slot is idle in some worker, and nothing is waiting for it
--   watch        1 if this worker is to watch `ready`, which is empty, while it rests. Others rest at the bell, see ring: a push
--                wakes one worker, and each that finds items wakes a few more while there are any

local worker_epoch, worker, call_number = ARGV[1], ARGV[2], ARGV[3]
local lease, want, fill = tonumber(ARGV[4]), math.min(tonumber(ARGV[5]), 5000), tonumber(ARGV[6])
local max_bytes, max_crashes, max_snoozes = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local stop_after, retention, max_results = ARGV[10], tonumber(ARGV[11]), ARGV[12]
local interval = tonumber(ARGV[13])
local has_last_step, worker_status, settings, release = ARGV[14] == '1', ARGV[15], ARGV[16], ARGV[17]
local has_idle_slot, rests, pushing = ARGV[18] ~= '0', ARGV[18] == '2', ARGV[19] == '1'
local max_dead, reports, FIRST_REPORT = ARGV[20], tonumber(ARGV[21]), 22

-- An item that was aboard so many crashes is a suspect. Most crashes are the node's, not the item's.
local SUSPECT = 2

-- So many items must have ended before a share of them can stop the run, and so many fingerprints are known at most: 75 MB of them.
local MIN_ENDED, MAX_KNOWN = 100, 1000000

-- How long a worker that has found nothing counts as idle, in ms: until it asks again.
local IDLE_NOTED = 1500

-- How long the watcher counts as one without a call, in ms. It calls every second and a half at least. And how many workers one wakes.
local WATCHES, RINGS = 2000, 4

-- What an idle worker rests before it asks again, in ms: so long for each worker, that all together ask seldom. The watcher asks each second.
local REST, REST_EACH, LONGEST_REST = 1000, 20, 20000

local epoch, taken, seeded, sealed, started_at, finished_at, dead_count, done_count, stopped, paused, left, alone, isolated, turn, unjoined, used_until, last_step, idle_until, watcher, broken =
  unpack(call('HMGET', state, 'epoch', 'taken', 'seeded', 'sealed', 'started_at', 'finished_at', 'dead', 'done', 'stopped', 'paused',
    'left', 'alone', 'isolated', 'turn', 'unjoined', 'used_until', 'last_step', 'idle_until', 'watcher', 'broken'))
taken, seeded, unjoined = tonumber(taken or 0), tonumber(seeded or 0), tonumber(unjoined or 0)
dead_count, done_count, alone = tonumber(dead_count or 0), tonumber(done_count or 0), tonumber(alone or 0)
local ready_len = call('LLEN', ready)

if not epoch then
  return { worker_epoch == '' and 'unseeded' or 'vanished', 1000, '', '', 0, {}, {}, 0, 0 }
end
local join_lost = unjoined > 0 and call('EXISTS', call('LINDEX', joining, 0) or joining) == 0
if (worker_epoch ~= '' and worker_epoch ~= epoch) or taken + ready_len + unjoined < seeded or join_lost then
  return { 'vanished', 0, epoch, '', 0, {}, {}, 0, 0 }
end
local last_call = call('HGET', workers, worker)
if last_call and tonumber(call_number) < tonumber(last_call) then
  return { 'wait', 0, epoch, '', 0, {}, {}, 0, 0 }
end
local repeated = last_call == call_number

-- A full Redis refuses a script's writes, unless a write went before that takes no memory: the ZREM, which does nothing. So items are
-- worked off, which makes room. But a report that pushes items has to wait for the room.
local full = pushing and type(redis.pcall('HSET', workers, worker, call_number)) == 'table'
call('ZREM', leases, '')
call('HSET', workers, worker, call_number)
if left then reopen() end
if broken and worker_epoch == '' then call('HDEL', state, 'broken') end
if worker_status ~= '' then call('SET', prefix .. 'w:' .. worker, worker_status, 'PX', math.max(lease, 30000)) end
if settings ~= '' then call('HSET', state, 'settings', settings, 'release', release) end
if has_last_step and not last_step then
  last_step = 'waiting'
  call('HSET', state, 'last_step', last_step)
end
local last_step_open = has_last_step and last_step ~= 'done' and last_step ~= 'dead'

local function count(field, by)
  if by ~= 0 then call('HINCRBY', state, field, by) end
end

local function origin_of(batch) return tonumber(string.match(call('LINDEX', batch, 0) or '', '^(-?%d+):')) end

-- item returns the parts of the envelope that a value of a batch is, or would be.
local function item(origin, position, value)
  if origin > 0 then return string.format('%.0f', origin + position - 1), 0, 0, 0, 0, value end
  local _, last, id, attempts, crashes, snoozes, group = string.find(value, '^(%d+):(%d+):(%d+):(%d+):(%d+):')
  return id, tonumber(attempts), tonumber(crashes), tonumber(snoozes), tonumber(group), string.sub(value, last + 1)
end

local function kill(id, attempts, crashes, payload, text)
  call('XADD', dead, '*', 'id', id, 'attempts', attempts, 'crashes', crashes, 'item', payload, 'report', text)
  count('dead', 1)
  dead_count = dead_count + 1
end

local function drop(id)
  if alone > 0 and origin_of(prefix .. 'b:' .. id) == -1 then
    alone = alone - 1
    count('alone', -1)
  end
  call('ZREM', leases, id)
  call('DEL', prefix .. 'b:' .. id, prefix .. 'd:' .. id)
end

-- 1 Settle.

local result_bytes, history_bytes = 0, 0 -- that were recorded

-- settle_item applies one outcome and returns 1 if the item has left its batch by that, 0 if it was counted as done.
local function settle_item(outcome, delay, text, entry, pushes, id, attempts, crashes, snoozes, group, payload)
  if entry ~= '' then
    call('XADD', history, '*', 'id', id, 'item', payload, 'report', entry)
    history_bytes = history_bytes + #payload + #entry + ENTRY
  end
  if outcome == 'done' then
    if text ~= '' then
      call('XADD', results, '*', 'id', id, 'item', payload, 'report', text)
      result_bytes = result_bytes + #payload + #text + ENTRY
    end
    if #pushes > 0 then ready_len = ready_len + add(pushes) end
    return 0
  end
  if outcome == 'dead' then
    kill(id, attempts + 1, crashes, payload, text)
  elseif outcome == 'snoozed' and max_snoozes > 0 and snoozes >= max_snoozes then
    if text == '' then text = '{"reason":"snoozed ' .. snoozes + 1 .. ' times, ' .. max_snoozes .. ' allowed"}' end
    kill(id, attempts, crashes, payload, text)
  else
    if outcome == 'failed' then attempts = attempts + 1 end
    if outcome == 'snoozed' then snoozes = snoozes + 1 end
    if outcome == 'returned' then delay = 0 end
    call('ZADD', delayed, now + delay, envelope(id, attempts, crashes, snoozes, group, payload))
    count(outcome, 1)
  end
  return 1
end

-- slice returns n elements of a list from one on.
local function slice(list, from, n)
  local part = {}
  for i = 1, n do part[i] = list[from + i - 1] end
  return part
end

-- know adds fingerprints of items that are done. Beyond the cap it forgets others, whose items a later run then runs again.
local function know(fingerprints)
  if fingerprints == '' then return end
  for i = 1, #fingerprints, 20 do call('SADD', known, string.sub(fingerprints, i, i + 19)) end
  local over = call('SCARD', known) - MAX_KNOWN
  if over > 0 then call('SPOP', known, over) end
end

-- settle applies the reports. It returns the lost batches, the rolled back ones, and how many this worker still holds.
local function settle()
  local lost, rolled_back, held, arg = {}, {}, 0, FIRST_REPORT
  for _ = 1, reports do
    local id, action, bitmap = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2]
    local before, done, fingerprints, outcomes = tonumber(ARGV[arg + 3]), tonumber(ARGV[arg + 4]), ARGV[arg + 5], tonumber(ARGV[arg + 6])
    local first_outcome = arg + 7
    arg = first_outcome
    local pushes = 0
    for _ = 1, outcomes do
      pushes = pushes + tonumber(ARGV[arg + 5])
      arg = arg + 6 + tonumber(ARGV[arg + 5])
    end
    local batch, finished = prefix .. 'b:' .. id, prefix .. 'd:' .. id
    local leased = call('ZSCORE', leases, id)
    if leased and action == 'keep' then held = held + 1 end
    if not leased then
      if not repeated then lost[#lost + 1] = id end
    elseif repeated and action == 'keep' then
      -- the first try of this call has settled it
    elseif call('BITCOUNT', finished) ~= before or full and pushes > 0 then
      rolled_back[#rolled_back + 1] = id
      rolled_back[#rolled_back + 1] = call('GET', finished) or ''
      if action == 'release' then held = held + 1 end
      call('ZADD', leases, lease_now + lease, id)
    else
      local gone = done
      local origin = outcomes > 0 and origin_of(batch)
      local at = first_outcome
      for _ = 1, outcomes do
        local position, pushes = tonumber(ARGV[at]), tonumber(ARGV[at + 5])
        gone = gone + settle_item(ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4],
          slice(ARGV, at + 6, pushes), item(origin, position, call('LINDEX', batch, position)))
        at = at + 6 + pushes
      end
      if broken and gone > 0 then call('HDEL', state, 'broken') end
      count('done', done)
      done_count = done_count + done
      know(fingerprints)
      count('leased', -gone)
      if action == 'release' then
        drop(id)
      else
        call('ZADD', leases, lease_now + lease, id)
        if bitmap ~= '' then call('SET', finished, bitmap) end
      end
    end
  end
  return lost, rolled_back, held
end

-- portion_of returns how many of n items a portion is, and whether it is a share of them.
local function portion_of(portion, n)
  local share = string.match(portion, '^(.*)%%$')
  return share and tonumber(share) * n / 100 or tonumber(portion), share ~= nil
end

-- too_many_dead reports whether the run is to stop early: so many are dead that it should, and more than it may have as a success.
local function too_many_dead()
  if dead_count == 0 or stop_after == '0' then return false end
  local ended = done_count + dead_count
  local most, is_share = portion_of(stop_after, ended)
  if dead_count < most - 1e-6 or is_share and ended < MIN_ENDED then return false end
  return dead_count > math.floor(portion_of(max_dead, taken + call('LLEN', ready) + (call('HGET', state, 'unjoined') or 0)) + 1e-6)
end

-- 2 Take back.

-- unfinished returns the items of a batch without an outcome, each as the parts of an envelope.
local function unfinished(id)
  local values = call('LRANGE', prefix .. 'b:' .. id, 0, -1)
  local origin = tonumber(string.match(table.remove(values, 1) or '', '^(-?%d+):'))
  local bitmap = call('GET', prefix .. 'd:' .. id) or ''
  local items = {}
  for position = 1, #values do
    local byte = string.byte(bitmap, math.floor((position - 1) / 8) + 1) or 0
    if math.floor(byte / 2 ^ ((position - 1) % 8)) % 2 == 0 then
      items[#items + 1] = { item(origin, position, values[position]) }
    end
  end
  return items, origin == -1
end

-- take_back ends a lease that has expired: its worker died, or was away for too long. The items go back into the queue. How
-- many of them may be leased together is the square root of how many there were, so that a second crash leaves few suspects,
-- and yet does not take many leases.
local function take_back(id)
  local items, ran_alone = unfinished(id)
  local group = math.max(1, math.floor(math.sqrt(#items)))
  for _, parts in ipairs(items) do
    local item_id, attempts, crashes, snoozes, _, payload = unpack(parts)
    if ran_alone or crashes < SUSPECT then crashes = crashes + 1 end
    local again = envelope(item_id, attempts, crashes, snoozes, group, payload)
    if ran_alone and crashes >= SUSPECT + max_crashes then
      kill(item_id, attempts, crashes, payload, '')
    elseif crashes >= SUSPECT then
      call('RPUSH', suspects, again)
    else
      call('ZADD', delayed, now, again)
    end
  end
  drop(id)
  count('leased', -#items)
  count('expired', 1)
end

-- 3 Lease.

local batch_id = worker .. ':' .. call_number
local batch = prefix .. 'b:' .. batch_id

-- gather fills the batch by calls of take(k, size), which returns up to k more values for a batch of that size. They grow
-- until the batch has n items or enough bytes: a few huge payloads must not make one huge batch.
local function gather(n, take)
  local size, bytes, step = 0, 0, 4
  while size < n and bytes < max_bytes do
    local more = take(math.min(n - size, step), size)
    if not more or #more == 0 then break end
    call('RPUSH', batch, unpack(more))
    size = size + #more
    for i = 1, #more do bytes = bytes + #more[i] end
    step = math.max(1, math.min(4 * step, math.floor((max_bytes - bytes) * size / (bytes + 1))))
  end
  return size
end

-- gather_due leases items that are due, no more than the smallest of their groups.
local function gather_due(n)
  return gather(n, function(k, size)
    local due = call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, k)
    for i = 1, #due do
      local group = tonumber(string.match(due[i], '^%d+:%d+:%d+:%d+:(%d+):'))
      if group > 0 then n = math.min(n, group) end
      if size + i > n then
        due = { unpack(due, 1, i - 1) }
        break
      end
    end
    if #due > 0 then call('ZREM', delayed, unpack(due)) end
    return due
  end)
end

-- gather_ready does for payloads what gather does, without a look at any of them: a SORT that does not sort is Redis's
-- way to copy a part of a list. Each step replaces what the one before it has copied.
local function gather_ready(n)
  local size = math.min(n, 4)
  while true do
    local copied = redis.pcall('SORT', ready, 'BY', 'nosort', 'LIMIT', 0, size, 'STORE', batch)
    local bytes = size < n and redis.pcall('MEMORY', 'USAGE', batch, 'SAMPLES', 0) or 0
    if type(copied) ~= 'number' or type(bytes) ~= 'number' then -- not allowed, or not known, here
      call('DEL', batch)
      return gather(n, function(k) return call('LPOP', ready, k) end)
    end
    local more = size < n and math.min(n, 8 * size, math.floor(size * max_bytes / bytes)) or 0
    if more <= size then break end
    size = more
  end
  call('LTRIM', ready, size, -1)
  return size
end

-- fair_share is how many of so many waiting items one worker may lease. By guided self-scheduling nobody takes more than half
-- of an equal share of what is left. But it does not cut a slot's fill up while there are two of them, nor into crumbs later.
local function fair_share(waiting, open)
  local least = waiting >= 2 * fill and fill or math.ceil(fill / 4)
  return math.max(math.ceil(waiting / (2 * (open + 1))), least)
end

-- choose returns a field of the state that names a worker until a time, and chosen reads one.
local function choose(name, till) return name .. ' ' .. string.format('%.0f', till) end
local function chosen(field)
  local name, till = string.match(field or '', '^(.*) (%d+)$')
  return name, tonumber(till)
end

-- isolate decides whether this worker should make itself free for a suspect. One worker at a time does, for one lease's time,
-- as it may be held up by a long item; then another one has its turn.
local function isolate()
  local name, till = chosen(isolated)
  if name == worker and now <= till then return true end
  if name and now <= till + (name == worker and lease or 0) then return false end
  call('HSET', state, 'isolated', choose(worker, now + lease))
  return true
end

local suspects_len, watches

-- next_batch fills the batch. It returns its origin and its size, which is 0 if nothing was leased, and whether this worker is
-- to make itself free.
local function next_batch(held)
  local due_len, open = call('ZCOUNT', delayed, '-inf', now), call('ZCARD', leases)
  local waiting = ready_len + due_len
  -- Suspects run in few workers at a time while there is other work, each in a worker that holds nothing else.
  if suspects_len > 0 and (waiting == 0 or alone < math.max(1, math.floor(open / 4))) then
    if held == 0 then
      call('RPUSH', batch, call('LPOP', suspects))
      suspects_len = suspects_len - 1
      count('alone', 1)
      if isolated then call('HDEL', state, 'isolated') end
      return -1, 1
    end
    if waiting > 0 and isolate() then return 0, 0, true end
  end
  if waiting == 0 then return 0, 0 end
  local due_turn = due_len > 0 and (ready_len == 0 or turn ~= 'due')
  if due_len > 0 and ready_len > 0 then call('HSET', state, 'turn', due_turn and 'due' or 'fresh') end
  local n = math.min(want, fair_share(waiting, open))
  if due_turn then return 0, gather_due(n) end
  local size = gather_ready(math.min(n, ready_len))
  count('taken', size)
  ready_len = ready_len - size
  return taken + 1, size
end

-- allowance returns how many items the rate allows to lease now. Times are whole µs, so a whole interval has always passed in the end.
-- What is used lies in the future only by a rounding.
local function allowance()
  if interval == 0 then return want end
  local window = math.max(1000000, math.ceil(interval))
  used_until = math.min(math.max(tonumber(used_until or 0), now_micros - window), now_micros)
  return math.floor((now_micros - used_until) / interval)
end

-- spend_allowance takes leased items off the allowance.
local function spend_allowance(items)
  if interval > 0 then call('HSET', state, 'used_until', string.format('%.0f', math.ceil(used_until + items * interval))) end
end

-- note_idle notes until when a slot is idle, for the workers that hold items; or, without a time, that one has found work.
local function note_idle(till)
  if not till then
    call('HDEL', state, 'idle_until')
  elseif till > tonumber(idle_until or 0) + IDLE_NOTED / 2 then
    call('HSET', state, 'idle_until', string.format('%.0f', till))
  end
  idle_until = till
end

-- watch makes this worker the watcher if there is none. It is for a worker that rests because nothing is waiting: on a list with items
-- the watcher would be woken without end.
local function watch()
  local name, till = chosen(watcher)
  if name and name ~= '' and name ~= worker and now <= till then return end
  watches = true
  call('HSET', state, 'watcher', choose(worker, now + WATCHES))
end

-- wake_others passes on that there are items, from a worker that has rested and has got some of them.
local function wake_others()
  local name, till = chosen(watcher)
  if not name or now > till then return end
  local waiting = ready_len + call('ZCOUNT', delayed, '-inf', now)
  if name == worker then call('HSET', state, 'watcher', choose('', till)) end
  if waiting > 0 or name == worker then ring(math.max(1, math.min(RINGS, math.ceil(waiting / fill)))) end
end

-- wake_all wakes all idle workers at the end of a run, once.
local function wake_all()
  if call('EXISTS', prefix .. 'bell') == 0 then ring(call('HLEN', workers) - 1) end
end

-- lease_batch returns the status after an attempt to lease, and whether this worker is to make itself free.
local function lease_batch(held)
  if repeated and call('EXISTS', batch) == 1 then return 'items' end
  want = math.min(want, allowance())
  if want == 0 then return 'limited' end
  local origin, size, free = next_batch(held)
  if size == 0 then
    if has_idle_slot and not free then note_idle(now + IDLE_NOTED) end
    if rests and not free then watch() end
    return 'wait', free
  end
  if idle_until then note_idle() end
  if rests and watcher then wake_others() end
  spend_allowance(size)
  call('LPUSH', batch, string.format('%.0f:%.0f', origin, now))
  call('ZADD', leases, lease_now + lease, batch_id)
  count('leased', size)
  if not started_at then call('HSET', state, 'started_at', now) end
  if finished_at then reopen() end
  if last_step == 'done' or last_step == 'dead' then forget_last_step() end
  if last_step == 'running' then call('HSET', state, 'last_outdated', 1) end
  return 'items'
end

-- finish notes that the run has drained. The records of single items expire; the state stays, so that the run is not seeded
-- again, nor waited for. The state of a queue that will have no other seed expires, too.
local function finish()
  if finished_at then return end
  call('HSET', state, 'finished_at', now)
  if retention > 0 then
    for _, key in ipairs({ dead, results, workers, history, seen, known }) do call('PEXPIRE', key, retention) end
    if call('HEXISTS', state, 'only_seed') == 1 then call('PEXPIRE', state, retention) end
  end
end

-- rest_time returns how long a worker rests that others wake, in ms.
local function rest_time(least) return math.max(least, math.min(LONGEST_REST, REST_EACH * call('HLEN', workers))) end

-- pending returns the status of a queue of which nothing was leased, perhaps because of the rate, and the ms until that changes
-- by itself.
local function pending(limited)
  local next_due = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  local next_expiry = call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
  if sealed and ready_len == 0 and suspects_len == 0 and not next_due and not next_expiry then
    if last_step_open and paused then return 'paused', 1000 end
    if last_step_open then return 'last', 0 end
    finish()
    return 'drained', 0
  end
  local wait = math.max(0, math.min(REST, next_due and tonumber(next_due) - now or REST, next_expiry and tonumber(next_expiry) - lease_now or REST))
  if paused then return 'paused', math.max(wait, 1000) end
  if limited and (ready_len > 0 or suspects_len > 0 or next_due and tonumber(next_due) <= now) then
    local allowed_at = math.ceil((used_until + interval) / 1000)
    call('HSET', state, 'limited_until', allowed_at)
    return 'limited', math.max(allowed_at - now, 2 * call('HLEN', workers))
  end
  if rests and want > 0 and not watches then return 'wait', rest_time(REST) end
  if sealed and ready_len == 0 and suspects_len == 0 and not next_due then
    -- Only leases are left, and the run may end at any time. Workers that leave together keep their pods' logs, so they ask
    -- often, but all of them together no more than 500 times a second.
    wait = math.min(wait, math.max(50, 2 * call('HLEN', workers)))
  end
  return 'wait', wait
end

if unjoined > 0 then ready_len = join() end
note_call(lease)
local lost, rolled_back, held = settle()
trim(results, 'results', max_results, result_bytes)
trim(history, 'history', max_results, history_bytes)
local expired = call('ZRANGEBYSCORE', leases, '-inf', lease_now, 'LIMIT', 0, 1)[1]
if expired then take_back(expired) end
suspects_len = call('LLEN', suspects)

local status, wait, free = 'wait', 0, false
if too_many_dead() then
  if not last_step_open then
    status = 'stopped'
  elseif call('ZCARD', leases) > 0 then
    -- A worker that left now would fail the Job, and end the others' pods, before the last step.
    wait = rests and rest_time(100) or 100
  elseif paused then
    status, wait = 'paused', 1000
  else
    status = 'last'
  end
  if not stopped or reports > 0 then call('HSET', state, 'stopped', 1, 'stopped_at', now) end
else
  if stopped then call('HDEL', state, 'stopped', 'stopped_at') end
  if want > 0 and not paused then status, free = lease_batch(held) end
  if status ~= 'items' then status, wait = pending(status == 'limited') end
end
if status == 'drained' or status == 'stopped' then wake_all() end
return { status, wait, epoch, status == 'items' and batch_id or '', free and 1 or 0, lost, rolled_back,
  idle_until and tonumber(idle_until) >= now and 1 or 0, status == 'wait' and watches and 1 or 0 }
