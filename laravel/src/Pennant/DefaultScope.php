<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Illuminate\Container\Container;
use WeakMap;

/**
 * The scope of a question that names none. Pennant takes the signed-in user; here it is a copy, told from a user that the question names.
 *
 * @internal
 */
final class DefaultScope
{
    /** @var WeakMap<object, object> the scopes that Pennant would take, by their copies */
    private WeakMap $originals;

    public function __construct()
    {
        $this->originals = new WeakMap();
    }

    /** Becomes the manager's, unless the application has one of its own. */
    public function register(object $manager): void
    {
        // Pennant has no method that tells.
        $isNamed = (fn (): bool => isset($this->defaultScopeResolver))->call($manager);
        if (!$isNamed && \method_exists($manager, 'resolveScopeUsing')) {
            $manager->resolveScopeUsing(fn (string $store): mixed => $this->copy(UserResolver::userOfGuard(), $store));
        }
    }

    /** The scope that Pennant would take; null if the question names one. */
    public function original(mixed $scope): ?object
    {
        return \is_object($scope) ? $this->originals[$scope] ?? null : null;
    }

    private function copy(?object $user, string $store): mixed
    {
        if (Container::getInstance()->make('config')->get("pennant.stores.$store.driver") !== 'flagstone') {
            return $user;
        }
        // Pennant's FeatureScopeable.
        $scope = $user !== null && \method_exists($user, 'toFeatureIdentifier') ? $user->toFeatureIdentifier($store) : $user;
        if (!\is_object($scope)) {
            return $scope;
        }
        $copy = clone $scope;
        $this->originals[$copy] = $scope;

        return $copy;
    }
}
