<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <title>@yield('title')</title>
</head>
<body>
<nav>
    <a href="/">Home</a>
    @auth
        <a href="/account">Account</a>
        @flagstonepeek('customer_portal')
            <a href="/portal">Portal</a>
        @endflagstonepeek
        @can('administer')
            <a href="/admin/companies">Companies</a>
        @endcan
    @else
        <a href="/login">Log in</a>
    @endauth
</nav>
<h1>@yield('title')</h1>
@yield('content')
</body>
</html>
