<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Notifications\Dispatcher as Notifications;
use Illuminate\Notifications\AnonymousNotifiable;
use RuntimeException;

/**
 * The application's own listeners, and then the endpoints that `notify` in config/flagstone.php names.
 *
 * @internal
 */
final class Endpoints
{
    /** Message class for an incoming webhook of laravel/slack-notification-channel, versions 2 and 3. */
    private const SLACK = 'Illuminate\Notifications\Messages\SlackMessage';

    /** Actions of the audit trail. */
    private const ACTIONS = [
        'init', 'publish', 'enable', 'disable', 'rollout', 'allow', 'deny', 'forget', 'delete', 'rollback', 'promote', 'import', 'kill', 'revive',
        'stop_all', 'resume_all', 'plan_start', 'plan_stage', 'plan_hold', 'plan_resume', 'plan_advance', 'plan_abort', 'plan_back',
        'plan_done', 'guard', 'guard_pause', 'guard_resume', 'note', 'pull', 'key_trust', 'key_forget',
    ];

    public function __construct(private readonly Application $app)
    {
    }

    /** @return list<Endpoint> */
    public function all(): array
    {
        $config = Config::of($this->app);
        $endpoints = [new Endpoint('events', null, fn (FlagChanged $change): mixed => $this->app->make(Dispatcher::class)->dispatch($change))];
        $to = $config->texts('notify.mail.to');
        if ($to !== []) {
            $endpoints[] = new Endpoint('mail', $this->actions($config, 'mail'), fn (FlagChanged $change) => $this->send('mail', $to, $change));
        }
        $url = $config->text('notify.slack.url') ?? '';
        if ($url !== '') {
            $endpoints[] = new Endpoint('slack', $this->actions($config, 'slack'), function (FlagChanged $change) use ($url): void {
                if (!\class_exists(self::SLACK)) {
                    throw new RuntimeException('Slack needs a package: composer require laravel/slack-notification-channel; or name the'
                        . ' webhook in the store\'s config with "format": "slack", for `flagstone run`');
                }
                $this->send('slack', $url, $change);
            });
        }

        return $endpoints;
    }

    /** @return ?list<string> */
    private function actions(Config $config, string $name): ?array
    {
        $actions = $config->texts("notify.$name.actions");
        $unknown = \array_diff($actions, self::ACTIONS);
        if ($unknown !== []) {
            throw InvalidSetting::unknown("notify.$name.actions", \implode('", "', $unknown), self::ACTIONS);
        }

        return $actions === [] && $config->get("notify.$name.actions") !== [] ? null : $actions;
    }

    /**
     * Sends now, not by a queue: the endpoint's place moves on when the mail server, or Slack, has taken the message.
     *
     * @param string|list<string> $to
     */
    private function send(string $channel, string|array $to, FlagChanged $change): void
    {
        $this->app->make(Notifications::class)->sendNow(
            (new AnonymousNotifiable())->route($channel, $to),
            new FlagWasChanged($change, $channel),
        );
    }
}
