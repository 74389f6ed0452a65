-- push.lua: appends items to the queue, once.
--
-- KEYS[1..10]: see keys.lua
-- KEYS[11] mark  STRING  number of the last call of this pusher; private to it
--
-- ARGV[1]   number of this call; one that is not above the last has had its effect
-- ARGV[2]   ms for which the mark is kept
-- ARGV[3..] payloads, a few thousand at most
--
-- Reply: 1 if they were appended now, 0 if they had been before
local mark, number = KEYS[11], ARGV[1]
if tonumber(number) <= tonumber(call('GET', mark) or 0) then return 0 end
call('RPUSH', ready, unpack(ARGV, 3))
call('SET', mark, number, 'PX', ARGV[2])
if call('HEXISTS', state, 'left') == 1 then reopen() end
return 1
