-- leave.lua: forgets a worker. If it is the last to leave a run that was stopped early, the run has ended: its items and records expire
-- after the retention, unless somebody goes on with it before. The state stays, so that nobody takes what has expired for done; only if
-- the queue will have no other seed, it expires too.
--
-- A run that was neither drained nor stopped is kept. It may go on at any time: its Job is suspended perhaps, or scaled to 0.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] worker id
-- ARGV[2] ms for which the keys are kept, 0 for ever
-- ARGV[3] why the worker cannot run any item, '' if it can
--
-- Reply: 1 if the keys expire now, else 0
local retention = tonumber(ARGV[2])
call('HDEL', workers, ARGV[1])
if ARGV[3] ~= '' and call('HEXISTS', state, 'epoch') == 1 then call('HSET', state, 'broken', ARGV[3]) end
local watcher = string.match(call('HGET', state, 'watcher') or '', '^(.*) ')
if watcher == ARGV[1] then
  call('HDEL', state, 'watcher')
  ring(1) -- another one is to watch
end
local stopped, last_step, only_seed = unpack(call('HMGET', state, 'stopped', 'last_step', 'only_seed'))
if retention == 0 or not stopped or last_step == 'waiting' or last_step == 'running' or call('ZCARD', leases) > 0 then return 0 end
call('HSET', state, 'left', 1)
each_key(function(key)
  if key ~= state or only_seed then call('PEXPIRE', key, retention) end
end)
return 1
