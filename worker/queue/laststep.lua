-- laststep.lua: the last step of a run, which one worker runs when the run has drained or stopped. It is leased and retried like
-- an item, but counted beside the items.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] worker id
-- ARGV[2] what the worker wants:
--   lease   to run the last step
--   renew   to keep its lease
--   done    to report success
--   failed  to report a failed attempt that is to be followed by another
--   return  to let another worker run it: this was no attempt
--   dead    to report the last failed attempt
--   again   nothing for itself: a dead last step is to run once more
-- ARGV[3] ms: of the lease for lease and renew; until the next attempt for failed
-- ARGV[4] crashes after which the last step is dead, for lease
-- ARGV[5] record of the attempt for failed and dead, as JSON
-- ARGV[6] lease of this worker, ms
--
-- What done, failed and dead report counts only if the run is still over, and nothing was leased since the last step was. Else it has
-- not seen all results, and is to run again after the others.
--
-- Reply: { leased, wait ms, attempts, again }
--   leased    1 if this worker has the last step
--   wait      ms until it may be leased, 0 if it is leased or over
--   attempts  that failed so far
--   again     1 if the report does not count, because items have come back
--
-- Its part of the state, see keys.lua:
--   last_step      waiting | running | done | dead
--   last_worker    the worker that runs it
--   last_until     time in ms: when the lease expires by the clock of the leases, or the next attempt is due
--   last_attempts, last_crashes
--   last_record    record of the last failed attempt, or of why there is no other
--   last_outdated  1 if items were leased since the last step was
local worker, action, ms, max_crashes, record, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local step, owner, till, attempts, crashes =
  unpack(call('HMGET', state, 'last_step', 'last_worker', 'last_until', 'last_attempts', 'last_crashes'))
till, attempts, crashes = tonumber(till or 0), tonumber(attempts or 0), tonumber(crashes or 0)
local mine = step == 'running' and owner == worker
local again = false

-- is_over reports whether the run is drained or stopped, and has been since this worker leased the last step.
local function is_over()
  local sealed, stopped, outdated = unpack(call('HMGET', state, 'sealed', 'stopped', 'last_outdated'))
  if stopped or outdated then return not outdated end
  return sealed and call('EXISTS', ready, joining, delayed, suspects, leases) == 0
end

-- wait_again makes the last step one that nobody has run.
local function wait_again()
  forget_last_step()
  call('HSET', state, 'last_step', 'waiting') -- or the run would look drained until a worker has called
end

if action ~= 'again' then note_call(lease) end
if action == 'again' then
  if step == 'dead' then
    wait_again()
    reopen()
  end
elseif action ~= 'lease' then
  if not mine then return { 0, 0, attempts, 0 } end
  if action == 'renew' then
    call('HSET', state, 'last_until', lease_now + ms)
  elseif action == 'return' then
    call('HSET', state, 'last_step', 'waiting', 'last_until', now)
  elseif not is_over() then
    again = true
    wait_again()
  elseif action == 'done' then
    call('HSET', state, 'last_step', 'done')
  else
    attempts = attempts + 1
    call('HSET', state, 'last_step', action == 'dead' and 'dead' or 'waiting', 'last_until', now + ms, 'last_attempts', attempts, 'last_record', record)
  end
elseif step == 'waiting' or step == 'running' then
  local wait = till - (step == 'running' and lease_now or now)
  if call('HEXISTS', state, 'paused') == 1 then wait = math.max(wait, 1000) end
  if wait > 0 and not mine then return { 0, wait, attempts, 0 } end
  if step == 'running' and not mine then
    crashes = crashes + 1
    call('HSET', state, 'last_crashes', crashes)
    if crashes >= max_crashes then
      call('HSET', state, 'last_step', 'dead', 'last_record',
        '{"reason":"' .. crashes .. (crashes == 1 and ' worker has' or ' workers have') .. ' died that ran it, and worker.maxCrashes allows no more"}')
      return { 0, 0, attempts, 0 }
    end
  end
  call('HSET', state, 'last_step', 'running', 'last_worker', worker, 'last_until', lease_now + ms)
  call('HDEL', state, 'last_outdated')
  mine = true
end
return { mine and 1 or 0, 0, attempts, again and 1 or 0 }
