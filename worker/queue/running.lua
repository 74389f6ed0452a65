-- running.lua: who has what, read in one atomic step.
--
-- KEYS[1] leases  KEYS[2] prefix  (as in exchange.lua)
--
-- ARGV[1] number of batches at most, those that expire first before the others
--
-- Reply: batch id, expiry in ms, list b, bitmap of finished positions; and so on for each batch
local reply = {}
local leases = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for i = 1, #leases, 2 do
  local id = leases[i]
  local n = #reply
  reply[n + 1], reply[n + 2] = id, leases[i + 1]
  reply[n + 3] = redis.call('LRANGE', KEYS[2] .. 'b:' .. id, 0, -1)
  reply[n + 4] = redis.call('GET', KEYS[2] .. 'd:' .. id) or ''
end
return reply
