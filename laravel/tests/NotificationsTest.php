<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Trail;
use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\LockFile;
use Flagstone\Laravel\Notifications\DeliveryCursor;
use Flagstone\Laravel\Notifications\Endpoint;
use Flagstone\Laravel\Notifications\FlagWasChanged;
use Flagstone\Laravel\Notifications\MessageText;
use Flagstone\Laravel\Notifications\Sender;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Flagstone\Laravel\Value;
use Illuminate\Foundation\Application;
use Illuminate\Mail\Events\MessageSent;
use Illuminate\Mail\MailServiceProvider;
use Illuminate\Notifications\ChannelManager;
use Illuminate\Notifications\Channels\SlackWebhookChannel;
use Illuminate\Notifications\NotificationServiceProvider;
use Illuminate\Support\Facades\Notification;
use RuntimeException;

/**
 * Changes of flags reach people: by mail, and in Slack.
 */
final class NotificationsTest extends TestCase
{
    use Artisan;

    private const WEBHOOK = 'https://hooks.slack.example/services/T/B/x';

    private string $store;

    protected function configure(Application $app): void
    {
        $config = $app->make('config');
        $config->set('app.providers', [...$config->get('app.providers'), MailServiceProvider::class, NotificationServiceProvider::class]);
        $config->set('mail', [
            'default' => 'array', 'mailers' => ['array' => ['transport' => 'array']],
            'from' => ['address' => 'shop@example.com', 'name' => 'Shop'],
        ]);
        $config->set('flagstone.notify', ['mail' => ['to' => ['a@example.com', 'b@example.com']]]);
        $this->store = $this->ownStore($app, ['portal' => ['enabled' => true, 'rollout' => ['percentage' => 10]]]);
        foreach (\glob($app->storagePath() . '/framework/flagstone-notified*') ?: [] as $file) {
            \unlink($file);
        }
    }

    public function test_a_mail_says_what_was_changed_by_whom_and_why(): void
    {
        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        self::assertSame(0, $this->artisanCode('feature:rollout', [
            'flag' => 'portal', 'percentage' => '20', '--reason' => "all <b>well</b>\nso far", '--actor' => 'alice',
        ]));
        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        self::assertStringContainsString('mail: told of 1', $this->printed);

        $mail = $this->mails();
        self::assertCount(1, $mail, 'one mail for all of them');
        self::assertStringContainsString('Subject: testing: rollout portal', $mail[0]);
        self::assertStringContainsString('To: a@example.com, b@example.com', $mail[0]);
        self::assertMatchesRegularExpression('/^X-Flagstone-Event: [0-9a-f]{32}-\d+-\d+\r?$/m', $mail[0]);
        self::assertStringContainsString('portal /rollout/percentage: 10 → 20', $mail[0]);
        self::assertStringContainsString('alice@', $mail[0]);
        self::assertStringContainsString("all <b>well</b>\nso far", \str_replace("\r", '', $mail[0]), 'as text it means nothing');
        self::assertStringContainsString('all &lt;b&gt;well&lt;/b&gt;', $mail[0], 'in HTML nobody writes markup');
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertCount(1, $this->mails());
    }

    // The name that a request gave stood in mails as if the account were that person's.
    public function test_a_person_whom_a_request_named_is_told_as_claimed(): void
    {
        $record = '{"seq":%d,"at":"2026-01-01T00:00:00Z","actor":%s,"action":"kill","outcome":"done","environment":"testing","flag":"portal"}';
        $actors = [
            'CEO, claimed (www-data@web-1)' => '{"user":"CEO","account":"www-data","uid":33,"host":"web-1","claimed":true}',
            'alice@web-1' => '{"user":"alice","account":"deploy","uid":1000,"host":"web-1"}',
        ];
        $seq = 1;
        foreach ($actors as $actor) {
            \file_put_contents("{$this->store}/audit.jsonl", \sprintf($record, 100 + $seq++, $actor) . "\n", FILE_APPEND);
        }
        $told = [];
        foreach ((new Trail($this->store))->after(100, '') as $change) {
            $told[] = (new MessageText($change))->who();
        }
        self::assertSame(\array_keys($actors), $told);
    }

    public function test_of_actions_that_are_not_named_nobody_is_told(): void
    {
        $this->app->make('config')->set('flagstone.notify.mail.actions', ['kill', 'revive']);
        Notification::fake();
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertSame(0, $this->artisanCode('feature:rollout portal 20 --reason=x'));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        $told = [];
        Notification::assertSentOnDemand(FlagWasChanged::class, static function (FlagWasChanged $sent) use (&$told): bool {
            $told[] = $sent->change->action;

            return true;
        });
        self::assertSame(['kill'], \array_values(\array_unique($told)));
        $this->app->make('config')->set('flagstone.notify.mail.actions', null);
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('mail: told of 0', $this->printed, 'what was passed over does not come later');
    }

    public function test_slack_waits_for_its_package_and_what_people_wrote_calls_nobody(): void
    {
        self::assertFalse(\class_exists(SlackWebhookChannel::class));
        $this->app->make('config')->set('flagstone.notify', ['slack' => ['url' => self::WEBHOOK]]);
        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        self::assertSame(0, $this->artisanCode('feature:kill', ['flag' => 'portal', '--reason' => '<!channel> @here *now* & then']));
        self::assertSame(1, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('composer require laravel/slack-notification-channel', $this->printed);

        require __DIR__ . '/doubles/slack.php';
        $this->app->make(ChannelManager::class)->extend('slack', static fn (): SlackWebhookChannel => new SlackWebhookChannel());
        self::assertSame(0, $this->artisanCode('feature:announce --now'), $this->printed);
        [[$address, $text]] = SlackWebhookChannel::$sent;
        self::assertSame(self::WEBHOOK, $address);
        self::assertStringStartsWith('*testing*: kill portal by ', $text);
        self::assertStringEndsWith(": &lt;!channel&gt; @\u{2060}here \u{2060}*now\u{2060}* &amp; then", $text);
    }

    public function test_a_team_edits_the_texts(): void
    {
        $views = $this->app->resourcePath('views/vendor/flagstone');
        self::assertSame(0, $this->artisanCode('vendor:publish --tag=flagstone-notifications'));
        self::assertFileExists("$views/mail.blade.php");
        self::assertFileExists("$views/slack.blade.php");
        \file_put_contents("$views/mail-text.blade.php", 'Ask #flags about {{ $words->what() }}.');
        $this->refreshApplication();
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        self::assertStringContainsString('Ask #flags about kill portal.', $this->mails()[0]);
        \array_map('unlink', \glob("$views/*") ?: []);
    }

    public function test_one_that_fails_delays_no_other_and_is_tried_again_later_and_given_up_after_three_days(): void
    {
        $now = 1_800_000_000;
        $problems = [];
        $sender = new Sender($this->app->storagePath() . '/framework', static function () use (&$now): int {
            return $now;
        }, static function (\Throwable $problem) use (&$problems): void {
            $problems[] = $problem->getMessage();
        });
        $tries = [];
        $isDown = true;
        $endpoint = new Endpoint('mail', null, static function (FlagChanged $change) use (&$tries, &$isDown): void {
            $tries[] = $change->action;
            !$isDown || throw new RuntimeException('the mail server is away');
        });
        $trail = new Trail($this->store);
        $sender->send($endpoint, $trail);
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        self::assertSame(0, $this->artisanCode('feature:revive portal'));

        $pauses = [];
        for ($tried = 0; $tried < 12; ++$tried) {
            self::assertSame(0, $sender->send($endpoint, $trail));
            $place = $sender->place($endpoint, $trail);
            $pauses[] = $place->retryAt - $now;
            $now = $place->retryAt - 1;
            self::assertSame(0, $sender->send($endpoint, $trail));
            self::assertCount($tried + 1, $tries, 'not before its time');
            ++$now;
        }
        foreach ($pauses as $number => $pause) {
            $longest = \min(3600, 5 * 2 ** $number);
            self::assertGreaterThanOrEqual($longest / 2, $pause);
            self::assertLessThanOrEqual($longest, $pause);
        }
        self::assertSame(['kill'], \array_values(\array_unique($tries)), 'what comes after waits');
        self::assertSame('the mail server is away', $sender->place($endpoint, $trail)->error);
        self::assertCount(12, $problems);

        $now = $sender->place($endpoint, $trail)->since + DeliveryCursor::RETRY_SECONDS;
        self::assertSame(0, $sender->send($endpoint, $trail));
        self::assertCount(1, $sender->place($endpoint, $trail)->givenUp);
        $isDown = false;
        self::assertSame(1, $sender->send($endpoint, $trail, true));
        self::assertSame('revive', \end($tries));
        self::assertSame(0, $sender->send($endpoint, $trail));
        self::assertSame(0, $sender->place($endpoint, $trail)->failures);
    }

    public function test_a_sender_that_is_killed_loses_nothing_and_repeats_one_mail_at_most(): void
    {
        self::assertSame(0, $this->artisanCode('feature:announce'));
        foreach ([20, 30, 40, 50, 60] as $percentage) {
            self::assertSame(0, $this->artisanCode("feature:rollout portal $percentage --reason=x"));
        }
        $changes = \array_values([...(static function (Trail $trail): iterable {
            foreach ($trail->after(0, '') as $change) {
                yield $change->id;
            }
        })(new Trail($this->store))]);
        $expected = \array_slice($changes, -5);
        $sent = Store::unused('sent');
        \file_put_contents($sent, '');
        $this->app->make('events')->listen(MessageSent::class, static function (MessageSent $event) use ($sent): void {
            $header = $event->message->getHeaders()->get('X-Flagstone-Event');
            \file_put_contents($sent, (\method_exists($header, 'getFieldBody') ? $header->getFieldBody() : $header->getBodyAsString()) . "\n", \FILE_APPEND);
        });

        // Killed when the mail server has taken the second mail and nobody has noted that yet.
        $child = \pcntl_fork();
        if ($child === 0) {
            $this->app->make('events')->listen(MessageSent::class, static function () use ($sent): void {
                if (\count(\file($sent) ?: []) === 2) {
                    \posix_kill(\getmypid(), \SIGKILL);
                }
            });
            $this->artisanCode('feature:announce --only=mail');
            \posix_kill(\getmypid(), \SIGKILL);
        }
        \pcntl_waitpid($child, $status);
        self::assertTrue(\pcntl_wifsignaled($status));
        self::assertCount(2, \file($sent) ?: []);

        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        $ids = \file($sent, \FILE_IGNORE_NEW_LINES) ?: [];
        self::assertSame([$expected[0], $expected[1], ...\array_slice($expected, 1)], $ids);
        \unlink($sent);
    }

    public function test_two_senders_at_once_send_nothing_twice(): void
    {
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        $held = DeliveryCursor::lock($this->app->storagePath() . "/framework/flagstone-notified-mail-{$this->id()}.json");
        self::assertNotNull($held);
        // Anybody held it, and nobody was told of a kill.
        $lock = $this->app->storagePath() . "/framework/flagstone-notified-mail-{$this->id()}.json.lock";
        self::assertSame(0, \fileperms($lock) & 0o007);
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('mail: another process is at it', $this->printed);
        self::assertStringContainsString('events: told of 1', $this->printed);
        unset($held);
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('mail: told of 1', $this->printed);
    }

    public function test_after_a_restored_backup_the_younger_changes_are_told(): void
    {
        self::assertSame(0, $this->artisanCode('feature:announce'));
        foreach (['audit.jsonl', 'head'] as $file) {
            \copy("$this->store/$file", "$this->store/$file.backup");
        }
        foreach (['kill', 'revive', 'kill', 'revive'] as $command) {
            self::assertSame(0, $this->artisanCode("feature:$command portal" . ($command === 'kill' ? ' --reason=x' : '')));
        }
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('mail: told of 4', $this->printed);

        foreach (['audit.jsonl', 'head'] as $file) {
            \rename("$this->store/$file.backup", "$this->store/$file");
        }
        self::assertSame(0, $this->artisanCode('feature:kill', ['flag' => 'portal', '--reason' => 'after the restore']));
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('mail: told of 1', $this->printed);
        self::assertStringContainsString('after the restore', $this->mails()[4]);
    }

    public function test_the_status_tells_nobody_and_shows_where_each_is(): void
    {
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        self::assertSame(0, $this->artisanCode('feature:announce --status --json'));
        $rows = Value::items(\json_decode($this->printed, true), 'endpoints');
        self::assertSame(['events', 'mail'], \array_column($rows, 'endpoint'));
        self::assertSame([], $this->mails());
        self::assertSame(1, $this->artisanCode('feature:announce --only=post'));
        self::assertStringContainsString('there is no endpoint "post", there are events, mail', $this->printed);
    }

    private function id(): string
    {
        return (new Trail($this->store))->id();
    }

    private function sender(): Sender
    {
        return new Sender($this->app->storagePath() . '/framework', static fn (): int => 1_800_000_000, static fn (\Throwable $problem) => throw $problem);
    }

    /** @param list<string> $told */
    private static function events(array &$told): Endpoint
    {
        return new Endpoint('events', null, static function (FlagChanged $change) use (&$told): void {
            $told[] = "$change->action $change->id";
        });
    }

    /** Two servers with one storage: the second took the place of the first for its own, and changes were lost. */
    public function test_each_store_has_a_place_and_ids_of_its_own(): void
    {
        $one = new Trail($this->store);
        $first = $this->store;
        $two = new Trail($this->ownStore($this->app, ['portal' => true]));
        $told = [];
        foreach ([$one, $two] as $trail) {
            self::assertSame(0, $this->sender()->send(self::events($told), $trail));
        }
        self::assertSame([], $told, 'the first time nothing is told, by either');
        foreach ([$first, $this->app->make('config')->get('flagstone.store')] as $store) {
            $binary = new Binary((string) \getenv('FLAGSTONE_BIN'));
            self::assertSame(0, $binary->run(['kill', 'portal', '--reason=x', "--store=$store"])->code);
        }
        foreach ([$two, $one] as $trail) {
            self::assertSame(1, $this->sender()->send(self::events($told), $trail));
        }
        self::assertCount(2, \array_unique($told));
        self::assertNotSame($one->id(), $two->id());
        self::assertStringContainsString($one->id() . '-', $told[1]);
        // As a webhook of the store has it.
        $status = \json_decode($binary->run(['status', '--json', "--store=$first"])->text, true);
        self::assertSame($status['store']['store_id'], $one->id());
    }

    public function test_the_place_of_an_earlier_version_is_gone_on_from(): void
    {
        $trail = new Trail($this->store);
        [$seq, $at] = $trail->last();
        \file_put_contents($this->app->storagePath() . '/framework/flagstone-notified.json', \json_encode(['seq' => $seq, 'at' => $at]));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        $told = [];
        self::assertSame(1, $this->sender()->send(self::events($told), $trail));
    }

    /** It read the whole trail three times a minute: 238 MB took 10 s. */
    public function test_what_was_told_is_not_read_again(): void
    {
        $trail = new Trail($this->store);
        $told = [];
        self::assertSame(0, $this->artisanCode('feature:rollout portal 20 --reason=x'));
        self::assertSame(0, $this->sender()->send(self::events($told), $trail));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        // A record of the part that was told, which whoever reads it takes for news.
        $lines = \file("$this->store/audit.jsonl");
        $news = '{"seq":4711,"at":"2999-01-01T00:00:00Z","action":"bait","outcome":"done","pad":"';
        self::assertGreaterThan(\strlen($news), \strlen($lines[1]));
        $lines[1] = \str_pad($news, \strlen($lines[1]) - 3, 'x') . "\"}\n";
        \file_put_contents("$this->store/audit.jsonl", $lines);
        self::assertSame(1, $this->sender()->send(self::events($told), $trail));
        self::assertStringStartsWith('kill ', $told[0]);
        self::assertSame(0, $this->sender()->send(self::events($told), $trail));
    }

    /** Root that delivered in a folder that the workers may write had any file of its own overwritten, or made, by a link of theirs. */
    public function test_no_link_leads_what_is_noted_elsewhere(): void
    {
        $folder = $this->app->storagePath() . '/framework';
        [$path, $victim] = ["$folder/place.json", "$folder/victim"];
        \file_put_contents($victim, 'secret');
        \symlink($victim, "$path.tmp");
        \symlink($victim, $path);
        DeliveryCursor::lock($path)?->advance(1, '2026-11-30T00:00:00Z', 0);
        self::assertSame('secret', \file_get_contents($victim));
        self::assertFalse(\is_link($path));
        self::assertSame(1, (new DeliveryCursor($path))->seq);
        \symlink("$folder/made", "$folder/other.json.lock");
        try {
            DeliveryCursor::lock("$folder/other.json");
            self::fail('a lock that is a link was taken');
        } catch (\RuntimeException $error) {
            self::assertStringContainsString('other.json.lock', $error->getMessage());
        }
        self::assertFileDoesNotExist("$folder/made");
    }

    /** Root waited for ever at a pipe of the workers', one more process of the scheduler's each minute. */
    public function test_a_pipe_in_the_place_of_what_is_noted_is_not_waited_for(): void
    {
        $path = $this->app->storagePath() . '/framework/pipe.json';
        \posix_mkfifo($path, 0600);
        self::assertNull(DeliveryCursor::lock($path)?->seq);
        \unlink("$path.lock");
        \posix_mkfifo("$path.lock", 0600);
        $this->expectExceptionMessage('pipe.json.lock');
        DeliveryCursor::lock($path);
    }

    /** Root changed the mode of whatever had the lock's name by then. */
    public function test_a_lock_that_others_can_open_is_replaced(): void
    {
        $folder = $this->app->storagePath() . '/framework';
        \touch("$folder/kept");
        \chmod("$folder/kept", 0666);
        \link("$folder/kept", "$folder/earlier.lock");
        self::assertNotFalse(LockFile::open("$folder/earlier.lock"));
        \clearstatcache();
        self::assertSame([0666, 0660], [\fileperms("$folder/kept") & 0777, \fileperms("$folder/earlier.lock") & 0777]);
    }

    /** Root's first run left files that the scheduler's user could not write, and nothing was told any more. */
    public function test_what_root_notes_belongs_to_the_folders_owner(): void
    {
        self::assertSame(0, \posix_geteuid(), 'run as root: nobody else can play two users');
        // The directory of the tests is root's alone.
        $folder = \sys_get_temp_dir() . '/flagstone-places-' . \bin2hex(\random_bytes(8));
        \mkdir($folder, 0700);
        \chown($folder, 64_010);
        $told = [];
        (new Sender($folder, static fn (): int => 0, static fn (): mixed => null))->send(self::events($told), new Trail($this->store));
        $found = \array_map(static fn (string $file): int => (int) \fileowner($file), \glob("$folder/*") ?: []);
        \array_map('unlink', \glob("$folder/*") ?: []);
        \rmdir($folder);
        self::assertSame([64_010, 64_010], $found);
        self::assertSame(0, \posix_geteuid());
    }

    /** @return list<string> mails as they were sent, with nothing encoded */
    private function mails(): array
    {
        $mailer = $this->app->make('mail.manager')->mailer();
        $transport = \method_exists($mailer, 'getSymfonyTransport')
            ? $mailer->getSymfonyTransport()
            : $mailer->getSwiftMailer()->getTransport();
        $mails = [];
        foreach ($transport->messages() as $message) {
            $text = \method_exists($message, 'getOriginalMessage') ? $message->getOriginalMessage()->toString() : $message->toString();
            $mails[] = \quoted_printable_decode($text);
        }

        return $mails;
    }
}
