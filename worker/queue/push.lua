-- push.lua: appends items to the queue, once.
--
-- KEYS[1..13]: see keys.lua
-- KEYS[14] mark  STRING  number of the last call of this pusher ':' items that it appended; private to it
--
-- ARGV[1]   number of this call; one that is not above the last has had its effect
-- ARGV[2]   ms for which the mark is kept
-- ARGV[3..] payloads, a few thousand at most
--
-- Reply: the number of items that were appended, by this call or by a first try of it. A run of unique items appends none again
local mark, number = KEYS[14], tonumber(ARGV[1])
local last, appended = string.match(call('GET', mark) or '', '^(%d+):(%d+)$')
if last and number <= tonumber(last) then return tonumber(appended) end
local payloads = {}
for i = 3, #ARGV do payloads[i - 2] = ARGV[i] end
appended = add(payloads)
call('SET', mark, number .. ':' .. appended, 'PX', ARGV[2])
if appended > 0 and call('HEXISTS', state, 'left') + call('HEXISTS', state, 'finished_at') > 0 then reopen() end
return appended
