-- running.lua: who has what, read in one atomic step. Of a large batch only some items are read: this is for people to look
-- at, once a second, and must not keep Redis from its work.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] number of batches at most, those that expire first before the others
-- ARGV[2] number of unfinished items at most of each batch; up to seven more may come, and finished ones
--
-- Reply, with times of the server's clock as it is now: batch id, expiry in ms, number of items, bitmap of finished positions, position of the first item that is read,
-- the head of b and those items; and so on for each batch
local reply, ahead = {}, now - server_now
local open = call('ZRANGE', leases, 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for i = 1, #open, 2 do
  local id, expires = open[i], string.format('%.0f', open[i + 1] + outages - ahead)
  local batch = prefix .. 'b:' .. id
  local finished = call('GET', prefix .. 'd:' .. id) or ''
  local first = 8 * ((string.find(finished, '[^\255]') or #finished + 1) - 1)
  local items = call('LRANGE', batch, 1 + first, first + tonumber(ARGV[2]) + 7)
  local origin, leased_at = string.match(call('LINDEX', batch, 0) or '', '^(-?%d+):(%d+)$')
  table.insert(items, 1, origin and origin .. ':' .. string.format('%.0f', leased_at - ahead) or '')
  for _, part in ipairs({ id, expires, call('LLEN', batch) - 1, finished, first, items }) do
    reply[#reply + 1] = part
  end
end
return reply
