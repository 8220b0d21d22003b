<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Flagstone\Laravel\Events\FlagChanged;
use Illuminate\Container\Container;
use Illuminate\Contracts\View\Factory;
use Illuminate\Notifications\Messages\MailMessage;
use Illuminate\Notifications\Notification;

/**
 * A change of flags as a mail or a message in Slack. Its texts are views that a team can publish and edit:
 * `php artisan vendor:publish --tag=flagstone-notifications`.
 */
final class FlagWasChanged extends Notification
{
    /** @param string $channel mail or slack */
    public function __construct(public readonly FlagChanged $change, private readonly string $channel)
    {
    }

    /** @return list<string> */
    public function via(): array
    {
        return [$this->channel];
    }

    public function toMail(): MailMessage
    {
        $words = new MessageText($this->change);
        $message = (new MailMessage())
            ->subject($words->subject())
            ->view(['flagstone::mail', 'flagstone::mail-text'], ['change' => $this->change, 'words' => $words]);
        // A mail that comes twice has the same id. Laravel 8 sends by Swift Mailer, whose headers are added in the same way.
        $with = \method_exists($message, 'withSymfonyMessage') ? 'withSymfonyMessage' : 'withSwiftMessage';
        $message->{$with}(function (object $mail): void {
            $mail->getHeaders()->addTextHeader('X-Flagstone-Event', $this->change->id);
        });

        return $message;
    }

    /** A SlackMessage of laravel/slack-notification-channel. */
    public function toSlack(): object
    {
        $text = Container::getInstance()->make(Factory::class)->make('flagstone::slack', [
            'change' => $this->change, 'words' => new MessageText($this->change), 'safe' => MessageText::safeForSlack(...),
        ])->render();
        $class = 'Illuminate\Notifications\Messages\SlackMessage';

        return (new $class())->content(\trim($text));
    }
}
