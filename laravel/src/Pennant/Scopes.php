<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Contracts\Container\Container;
use ReflectionMethod;

/**
 * Subjects of Pennant's scopes, by pennant.scopes in config/flagstone.php. A number or a string is a company only if that says
 * so, since it may as well be a user's id.
 *
 * @internal
 */
final class Scopes
{
    /** @param array<array-key, string> $scopes by class, or "int" or "string": company, user:ATTRIBUTE, or a class */
    public function __construct(private readonly Container $container, private readonly array $scopes, private readonly DefaultScope $default)
    {
    }

    /** The scope as Pennant's own definitions and stores take it. */
    public function original(mixed $scope): mixed
    {
        return $this->default->original($scope) ?? $scope;
    }

    /**
     * The scope's subject; null if its meaning is not configured. A question without a scope is for the current subject, or if that is
     * not known for the signed-in user as a scope.
     *
     * @throws InvalidSetting for a configuration that is not valid
     */
    public function subject(mixed $scope): ?Subject
    {
        if ($scope instanceof Subject) {
            return $scope;
        }
        $user = $this->default->original($scope);
        if ($scope !== null && $user === null) {
            return $this->named($scope);
        }
        $current = $this->container->make(Subjects::class)->current();

        return $user === null || $current->problem() === null ? $current : $this->named($user) ?? $current;
    }

    private function named(mixed $scope): ?Subject
    {
        foreach ($this->scopes as $type => $what) {
            if (\is_object($scope) ? $scope instanceof $type : \get_debug_type($scope) === $type) {
                return $this->as($what, $scope, (string) $type);
            }
        }

        return \is_object($scope) && \method_exists($scope, 'flagstoneCompany') ? Subject::of($scope) : null;
    }

    private function as(string $what, mixed $scope, string $type): Subject
    {
        if ($what === 'company') {
            // Configured for this class, so it holds for users that are companies too.
            return new Subject(Company::key($scope), Context::has($scope) ? static fn (): array => Context::of($scope) : []);
        }
        if (($what === 'user' || \str_starts_with($what, 'user:')) && \is_object($scope)) {
            return (new UserResolver(\trim(\substr($what, 5)) === '' ? 'company_id' : \substr($what, 5)))->of($scope);
        }
        if (\class_exists($what) && \method_exists($what, '__invoke')) {
            $subject = (new ReflectionMethod($what, '__invoke'))->invoke($this->container->make($what), $scope);

            return $subject instanceof Subject ? $subject : new Subject(Company::key($subject));
        }

        throw new InvalidSetting(
            "config/flagstone.php: pennant.scopes says that $type is \"$what\", expected company, user:ATTRIBUTE or a"
            . ' class whose __invoke() is given the scope and returns a company or a Subject',
        );
    }
}
