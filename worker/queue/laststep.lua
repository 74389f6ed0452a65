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
--
-- Reply: { leased, wait ms, attempts, crashes }
--   leased    1 if this worker has the last step
--   wait      ms until it may be leased, 0 if it is leased or over
--   attempts  that failed so far
--   crashes   workers that died while they had it
--
-- Its part of the state, see keys.lua:
--   last_step      waiting | running | done | dead
--   last_worker    the worker that runs it
--   last_until     time in ms: when the lease expires, or the next attempt is due
--   last_attempts, last_crashes
--   last_record    record of the last failed attempt
local worker, wish, ms, max_crashes, record = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local step, owner, till, attempts, crashes =
  unpack(call('HMGET', state, 'last_step', 'last_worker', 'last_until', 'last_attempts', 'last_crashes'))
till, attempts, crashes = tonumber(till or 0), tonumber(attempts or 0), tonumber(crashes or 0)
local mine = step == 'running' and owner == worker

if wish == 'again' then
  if step == 'dead' then
    forget_last_step()
    call('HSET', state, 'last_step', 'waiting') -- or the run would look drained until a worker has called
    reopen()
  end
elseif wish ~= 'lease' then
  if not mine then return { 0, 0, attempts, crashes } end
  if wish == 'renew' then
    call('HSET', state, 'last_until', now + ms)
    hear(call('HGET', state, 'heard'), ms)
  elseif wish == 'done' then
    call('HSET', state, 'last_step', 'done')
  elseif wish == 'return' then
    call('HSET', state, 'last_step', 'waiting', 'last_until', now)
  else
    attempts = attempts + 1
    call('HSET', state, 'last_step', wish == 'dead' and 'dead' or 'waiting', 'last_until', now + ms, 'last_attempts', attempts, 'last_record', record)
  end
elseif step == 'waiting' or step == 'running' then
  if now < till and not mine then return { 0, till - now, attempts, crashes } end
  if step == 'running' and not mine then
    crashes = crashes + 1
    call('HSET', state, 'last_crashes', crashes)
    if crashes >= max_crashes then
      call('HSET', state, 'last_step', 'dead')
      return { 0, 0, attempts, crashes }
    end
  end
  call('HSET', state, 'last_step', 'running', 'last_worker', worker, 'last_until', now + ms)
  mine = true
end
return { mine and 1 or 0, 0, attempts, crashes }
