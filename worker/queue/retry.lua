-- retry.lua: puts dead letters back into the queue with a clean record.
--
-- KEYS[1] state  KEYS[2] delayed  KEYS[3] dead  KEYS[4] results  KEYS[5] workers  (as in exchange.lua)
--
-- ARGV: ids of dead letters in the stream, 1000 at most
--
-- Reply: how many went back; an id that is no longer there is passed over.
local call = redis.call
local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local back = 0
for _, letter in ipairs(ARGV) do
  local entry = call('XRANGE', KEYS[3], letter, letter)[1]
  if entry then
    local field = {}
    for i = 1, #entry[2], 2 do field[entry[2][i]] = entry[2][i + 1] end
    call('ZADD', KEYS[2], now, field.id .. ':0:0:' .. field.item)
    call('XDEL', KEYS[3], letter)
    back = back + 1
  end
end
if back > 0 then
  call('HINCRBY', KEYS[1], 'dead', -back)
  call('HINCRBY', KEYS[1], 'revived', back)
  call('HDEL', KEYS[1], 'finished_at')
  for _, key in ipairs({ KEYS[1], KEYS[3], KEYS[4], KEYS[5] }) do call('PERSIST', key) end
end
return back
