-- push.lua: appends items to the queue, once.
--
-- KEYS[1] ready  LIST    raw payloads
-- KEYS[2] mark   STRING  there if this very push was made before; private to it
--
-- ARGV[1] ms for which the mark is kept
-- ARGV[2..] payloads, a few thousand at most
--
-- Reply: 1 if they were appended now, 0 if they had been before
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
return 1
