@extends('layout')
@section('title', 'Welcome')
@section('content')
    <p>An application with many companies, one of whose features is behind a flag.</p>
@endsection
