# frozen_string_literal: true

# Sidekiq with a job that does nothing, run by its own command line.
require 'json'
require 'sidekiq'

host, port = ENV.fetch('BENCH_ADDR').split(':')
ITEMS = Integer(ENV.fetch('BENCH_ITEMS'))

Sidekiq.configure_client { |config| config.redis = { host: host, port: Integer(port) } }
Sidekiq.configure_server { |config| config.redis = { host: host, port: Integer(port) } }
Sidekiq.logger.level = Logger::ERROR

# Counts, and ends the process after the last job.
class Nothing
  include Sidekiq::Worker
  LOCK = Mutex.new
  @done = 0

  class << self
    def count
      LOCK.synchronize do
        @started ||= Process.clock_gettime(Process::CLOCK_MONOTONIC)
        @done += 1
        finish(Process.clock_gettime(Process::CLOCK_MONOTONIC) - @started) if @done == ITEMS
      end
    end

    def finish(seconds)
      report(seconds)
      Process.kill('TERM', Process.pid)
    end

    def report(seconds)
      $stdout.puts JSON.generate(items: ITEMS, seconds: seconds, version: Sidekiq::VERSION)
      $stdout.flush
    end
  end

  def perform(_payload)
    Nothing.count
  end
end

if ARGV == ['seed']
  payloads = (0...ITEMS).map { |i| [format('%016d', i)] }
  payloads.each_slice(1000) { |chunk| Sidekiq::Client.push_bulk('class' => Nothing, 'args' => chunk) }
  Nothing.report(0)
end
