@extends('layout')
@section('title', 'Account')
@section('content')
    <p>{{ auth()->user()->email }}, {{ auth()->user()->company->name }}</p>
@endsection
