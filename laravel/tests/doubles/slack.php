<?php

/**
 * Stands for laravel/slack-notification-channel, versions 2 and 3: the message for an incoming webhook, whose address is the route.
 */

declare(strict_types=1);

namespace Illuminate\Notifications\Messages {
    final class SlackMessage
    {
        public ?string $content = null;

        public function content(string $content): self
        {
            $this->content = $content;

            return $this;
        }
    }
}

namespace Illuminate\Notifications\Channels {
    final class SlackWebhookChannel
    {
        /** @var list<array{string, ?string}> addresses and texts */
        public static array $sent = [];

        public function send(\Illuminate\Notifications\AnonymousNotifiable $notifiable, \Flagstone\Laravel\Notifications\FlagWasChanged $notification): void
        {
            self::$sent[] = [$notifiable->routeNotificationFor('slack'), $notification->toSlack()->content];
        }
    }
}
