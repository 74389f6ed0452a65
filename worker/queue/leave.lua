-- leave.lua: forgets a worker. If it leaves a sealed run that nobody has anything of, all keys expire: unless somebody goes on
-- with the run, which makes them stay again, nobody will delete them. A queue that is not sealed is kept: more may come at any time.
--
-- This is only known when a worker leaves in an orderly way. Keys that always expire, and are refreshed by living workers, would
-- also go when all workers were killed, but a Redis with a maxmemory-policy of volatile-* would evict them in mid-run.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] worker id
-- ARGV[2] ms for which the keys are kept, 0 for ever
--
-- Reply: 1 if the keys expire now, else 0
local retention = tonumber(ARGV[2])
call('HDEL', workers, ARGV[1])
local sealed, finished_at = unpack(call('HMGET', state, 'sealed', 'finished_at'))
if retention == 0 or not sealed or finished_at or call('ZCARD', leases) > 0 then return 0 end
call('HSET', state, 'left', 1)
each_key(function(key) call('PEXPIRE', key, retention) end)
return 1
