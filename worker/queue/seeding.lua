-- seeding.lua: the right to seed the queue. One seeder at a time has it, so that a list is read once however many pods wait for it. It is a
-- lease, and it saves double work only: publish.lua takes every seed once, whoever has the lease.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] name of the seed
-- ARGV[2] seeder id
-- ARGV[3] what the seeder wants:
--   lease   to seed
--   renew   to keep its lease
--   return  to let another seeder do it: this was no attempt
--   failed  to report a failed attempt
-- ARGV[4] ms: of the lease for lease and renew; until the next attempt for failed
-- ARGV[5] attempts that may be made, 0 for any number
-- ARGV[6] ms for which the state is kept while the queue is not seeded, if this is the only seed that it will ever have; else 0, for ever
-- ARGV[7] what went wrong, for failed
-- ARGV[8] lease of this seeder, ms
--
-- Reply: { outcome, number }
--   leased  this seeder may seed, or go on with it; number of attempts, this one included
--   wait    not now: ms until the lease expires, unless its holder renews it
--   lost    this seeder does not have the lease; 0
--   spent   no attempt is left; number of attempts
--   seeded  a seed of this name was published; its number of items
--
-- Its part of the state, see keys.lua:
--   seeder        who has the lease, '' for nobody
--   seeder_until  time in ms: when the lease expires by the clock of the leases, or the next attempt may be made
--   seed_attempts, seed_error
--   only_seed     1 if the queue will have no other seed: once the run has drained its state expires with its records
local seeder, action, ms, most, keep = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local items, epoch, holder, till, attempts = unpack(call('HMGET', state, 'seed:' .. ARGV[1], 'epoch', 'seeder', 'seeder_until', 'seed_attempts'))
till, attempts = tonumber(till or 0), tonumber(attempts or 0)

if holder then note_call(tonumber(ARGV[8])) end
if items then return { 'seeded', tonumber(items) } end
if holder ~= seeder and action ~= 'lease' then return { 'lost', 0 } end
if action == 'return' then
  call('HSET', state, 'seeder', '', 'seeder_until', now, 'seed_attempts', attempts - 1)
elseif action == 'failed' then
  call('HSET', state, 'seeder', '', 'seeder_until', now + ms, 'seed_error', ARGV[7])
else
  if holder ~= seeder then
    local wait = till - ((holder or '') ~= '' and lease_now or now)
    if wait > 0 then return { 'wait', wait } end
    if most > 0 and attempts >= most then return { 'spent', attempts } end
    attempts = attempts + 1
    call('HSETNX', state, 'began_at', now)
  end
  call('HSET', state, 'seeder', seeder, 'seeder_until', lease_now + ms, 'seed_attempts', attempts)
  if not holder then note_call(tonumber(ARGV[8])) end
  if keep > 0 then
    call('HSET', state, 'only_seed', 1)
    if not epoch then call('PEXPIRE', state, keep) end
  end
end
return { 'leased', attempts }
