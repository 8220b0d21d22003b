<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Illuminate\Http\Request;
use WeakReference;

/**
 * The subject of a request, valid while its sources stay: the request itself, which a duplicate is not, its route, and the
 * signed-in user. A guard that reads tokens sends no event when its user changes.
 *
 * @internal
 */
final class CachedSubject
{
    /** @var WeakReference<Request> */
    private readonly WeakReference $request;

    private readonly Closure $route;

    /**
     * @param list<array{UserResolver, ?object, int|string|null}> $users by each resolver that was asked: the signed-in user, and its
     *     company
     * @param ?AuthState $auth the users known to be signed in; null if the subject was found by `$users` alone
     */
    public function __construct(
        public readonly Subject $subject,
        Request $request,
        private readonly array $users,
        private readonly ?AuthState $auth,
    ) {
        $this->request = WeakReference::create($request);
        $this->route = $request->getRouteResolver();
    }

    public function isCurrent(Request $request): bool
    {
        if ($this->request->get() !== $request || $request->getRouteResolver() !== $this->route) {
            return false;
        }
        foreach ($this->users as [$resolver, $user, $company]) {
            $now = $resolver->user($request);
            if ($now !== $user && !AuthState::isSame($now, $user) || $now !== null && $resolver->key($now) !== $company) {
                return false;
            }
        }

        return $this->auth === null || $this->auth->equals(AuthState::now($request));
    }
}
