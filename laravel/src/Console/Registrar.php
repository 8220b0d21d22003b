<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Companies;
use Flagstone\Laravel\Changes\Overlay;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Import\Importer;
use Flagstone\Laravel\Integrations\About;
use Flagstone\Laravel\Notifications\Sender;
use Illuminate\Console\Application as Artisan;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Foundation\Application;
use Throwable;

/**
 * Makes the commands known to artisan, and what they change flags with to the container.
 *
 * @internal
 */
final class Registrar
{
    private const COMMANDS = [
        AllowCommand::class,
        DenyCommand::class,
        DisableCommand::class,
        DoctorCommand::class,
        EnableCommand::class,
        ExplainCommand::class,
        FeatureCommand::class,
        ForgetCommand::class,
        HealthCommand::class,
        HistoryCommand::class,
        ImportCommand::class,
        InstallCommand::class,
        KillCommand::class,
        ListCommand::class,
        MakeCommand::class,
        NotifyCommand::class,
        PlanCommand::class,
        PublishCommand::class,
        PullCommand::class,
        ResumeAllCommand::class,
        ReviveCommand::class,
        RollbackCommand::class,
        RolloutCommand::class,
        RoutesCommand::class,
        ShowCommand::class,
        StatsCommand::class,
        StopAllCommand::class,
        TickCommand::class,
        WhyCommand::class,
    ];

    public function register(Application $app): void
    {
        // As they are now, before a tenant changes them.
        $config = Config::of($app);
        $app->singleton(Binary::class, static fn (): Binary => new Binary($config->text('binary')));
        $app->singleton(Overlay::class, static fn (Application $app): Overlay => new Overlay(
            $config->text('file') ?? '',
            $config->text('overlay') ?? '',
            $config->text('environment') ?? (string) $app->environment(),
        ));
        $app->singleton(Changer::class, static fn (Application $app): Changer => new Changer(
            $app->make(Flagstone::class),
            $app->make(Binary::class),
            $app->make(Overlay::class),
            $config->text('store'),
            new Companies($config->get('companies'), $app),
            static fn (): ?string => self::user($app),
        ));
        $app->singleton(Sender::class, static fn (Application $app): Sender => new Sender(
            $app->storagePath() . '/framework',
            time(...),
            static fn (Throwable $problem) => $app->make(ExceptionHandler::class)->report($problem),
        ));
        $app->bind(Importer::class, static fn (Application $app): Importer => new Importer(
            $config->text('file') ?? '',
            $app->make(Binary::class),
        ));
        Artisan::starting(static function (Artisan $artisan): void {
            $artisan->resolveCommands(self::COMMANDS);
        });
        if (\class_exists('Illuminate\Foundation\Console\AboutCommand')) {
            ('Illuminate\Foundation\Console\AboutCommand')::add('Flagstone', static fn (): array => $app->make(About::class)->rows());
        }
    }

    /** The name of the signed-in user: who changes a flag in a browser is not the account that serves the page. */
    private static function user(Application $app): ?string
    {
        $guard = $app->resolved('auth') ? $app->make('auth')->guard() : null;
        // Laravel's own guards say whether they know already; to find out would be a query.
        $user = $guard !== null && \method_exists($guard, 'hasUser') && $guard->hasUser() ? $guard->user() : null;
        $name = $user === null ? null : \data_get($user, 'email') ?? \data_get($user, 'name') ?? $user->getAuthIdentifier();

        return \is_scalar($name) && \trim((string) $name) !== '' ? (string) $name : null;
    }
}
