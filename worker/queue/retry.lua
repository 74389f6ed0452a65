-- retry.lua: puts dead letters back into the queue as if they had never been tried.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1]   payload and record bytes after which the call ends, so that it does not keep Redis from its work
-- ARGV[2..] ids of dead letters in the stream, a hundred at most
--
-- Reply: { ids that were seen to, those of them that went back }. An id that is no longer there is passed over.
local budget, seen, back = tonumber(ARGV[1]), 0, 0
for i = 2, #ARGV do
  if budget <= 0 then break end
  local key = ARGV[i]
  local entry = call('XRANGE', dead, key, key)[1]
  if entry then
    local field = {}
    for j = 1, #entry[2], 2 do field[entry[2][j]] = entry[2][j + 1] end
    call('ZADD', delayed, now, envelope(field.id, 0, 0, 0, 0, field.item))
    call('XDEL', dead, key)
    budget = budget - #field.item - #field.report
    back = back + 1
  end
  seen = seen + 1
end
if back > 0 then
  call('HINCRBY', state, 'dead', -back)
  call('HINCRBY', state, 'revived', back)
  call('HDEL', state, 'stopped', 'stopped_at') -- if too many are still dead, the next worker to call stops the run again
  reopen()
end
return { seen, back }
