@extends('layout')
@section('title', 'Log in')
@section('content')
    <form method="post" action="/login">
        @csrf
        @error('email')<p>{{ $message }}</p>@enderror
        <label>Email <input name="email" type="email"></label>
        <label>Password <input name="password" type="password"></label>
        <button>Log in</button>
    </form>
@endsection
