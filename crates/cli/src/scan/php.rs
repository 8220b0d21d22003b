//! Reads one file: the flags that it asks for, and the constants that it declares.

use super::asks::{self, Asker};
use super::blade;
use super::classes::Class;
use super::literal;
use super::names::{self, Names};
use super::value::{Part, Split, Value};
use crate::display;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use tree_sitter::{Node, Parser, Tree};

/// The deepest nesting of a value before it counts as unknown.
const DEPTH: usize = 64;
/// The longest source text that is shown, in characters.
const MAX_SHOWN_CHARACTERS: usize = 60;
/// The opening tag before a piece of a view.
const OPEN: &str = "<?php ";

/// Uses and declarations of a file.
#[derive(Debug, Default)]
pub struct File {
    pub uses: Vec<Found>,
    pub declared: Vec<Class>,
    /// The line of the first part that the grammar does not know, from 1.
    pub broken: Option<usize>,
}

/// A place that asks.
#[derive(Debug, Clone)]
pub struct Found {
    /// Line, from 1.
    pub line: usize,
    pub how: Cow<'static, str>,
    pub value: Value,
    pub split: Split,
}

/// Reads a file of PHP, or a Blade view.
pub fn read(path: &Path, bytes: &[u8]) -> File {
    let source = String::from_utf8_lossy(bytes);
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_php::LANGUAGE_PHP.into()).is_err() {
        return File { broken: Some(1), ..File::default() };
    }
    let mut reader = Reader::default();
    let view = path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(b".blade.php"));
    match view {
        false => reader.parse(&mut parser, &source, 0),
        true => {
            for piece in blade::pieces(&source) {
                let mentions = |word| piece.code.to_ascii_lowercase().contains(word);
                let names = reader.known() || mentions("use") || mentions("$");
                if names || mentions("feature") || mentions("flagstone") {
                    reader.parse(&mut parser, &format!("{OPEN}{}", piece.code), piece.line);
                }
            }
        }
    }
    reader.file
}

#[derive(Default)]
struct Reader {
    file: File,
    names: Names,
    /// Variables, parameters and properties that hold an API object, by name without `$`.
    askers: HashMap<String, Asker>,
}

impl Reader {
    /// True if a view assigned something that later pieces depend on.
    fn known(&self) -> bool {
        !self.askers.is_empty()
    }

    fn parse(&mut self, parser: &mut Parser, source: &str, line: usize) {
        match parser.parse(source, None) {
            Some(tree) => self.tree(&tree, source, line),
            None => self.file.broken = self.file.broken.or(Some(line + 1)),
        }
    }

    fn tree(&mut self, tree: &Tree, source: &str, line: usize) {
        if tree.root_node().has_error() {
            self.file.broken = self.file.broken.or(Some(line + error(tree.root_node()) + 1));
        }
        let mut pending = vec![tree.root_node()];
        while let Some(node) = pending.pop() {
            let mut code = Code { source, line, reader: self };
            code.node(node);
            let mut cursor = node.walk();
            let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
            pending.extend(children.into_iter().rev());
        }
    }
}

struct Code<'a> {
    source: &'a str,
    /// Line of the source in the file, from 0.
    line: usize,
    reader: &'a mut Reader,
}

impl<'a> Code<'a> {
    fn text(&self, node: Node<'_>) -> &'a str {
        self.source.get(node.byte_range()).unwrap_or("")
    }

    fn field(&self, node: Node<'_>, name: &str) -> &'a str {
        node.child_by_field_name(name).map_or("", |node| self.text(node))
    }

    fn class(&self, name: &str) -> String {
        self.reader.names.class(name)
    }

    fn found(&mut self, node: Node<'_>, how: impl Into<Cow<'static, str>>, value: Value, split: Split) {
        let line = self.line + node.start_position().row + 1;
        self.reader.file.uses.push(Found { line, how: how.into(), value, split });
    }

    fn node(&mut self, node: Node<'_>) {
        match node.kind() {
            "namespace_definition" => {
                let name = self.field(node, "name").to_owned();
                self.reader.names.enter(&name);
            }
            "namespace_use_declaration" => self.import(node),
            "class_declaration" | "interface_declaration" | "trait_declaration" | "enum_declaration" => {
                self.declares(node)
            }
            "simple_parameter" | "property_promotion_parameter" => {
                self.typed(self.field(node, "type"), self.field(node, "name"));
            }
            "property_declaration" => {
                for element in children(node).filter(|child| child.kind() == "property_element") {
                    self.typed(self.field(node, "type"), self.field(element, "name"));
                }
            }
            "assignment_expression" => self.assigned(node),
            "function_call_expression" => self.function(node),
            "member_call_expression" | "nullsafe_member_call_expression" => self.method(node),
            "scoped_call_expression" => self.scoped(node),
            "object_creation_expression" => self.constructed(node),
            "string" | "encapsed_string" => {
                self.string(node, self.text(node).trim_start_matches(['"', '\'']))
            }
            "class_constant_access_expression"
                if node.parent().is_some_and(|parent| is_concatenation(parent, self.source)) =>
            {
                if let Some(class) = self.constant(node).literal() {
                    self.string(node, &format!("{class}:"));
                }
            }
            _ => {}
        }
    }

    fn import(&mut self, node: Node<'_>) {
        let prefix =
            children(node).find(|child| child.kind() == "namespace_name").map(|name| self.text(name));
        let of = self.field(node, "type");
        let body = node.child_by_field_name("body").unwrap_or(node);
        for clause in children(body).filter(|child| child.kind() == "namespace_use_clause") {
            let Some(name) = children(clause).find(|child| matches!(child.kind(), "name" | "qualified_name"))
            else {
                continue;
            };
            let name = match prefix {
                Some(prefix) => format!("{prefix}\\{}", self.text(name)),
                None => self.text(name).to_owned(),
            };
            let alias = clause.child_by_field_name("alias").map(|alias| self.text(alias));
            let kind = if of.is_empty() { self.field(clause, "type") } else { of };
            match kind.to_ascii_lowercase().as_str() {
                "" => self.reader.names.import_class(&name, alias),
                "function" => self.reader.names.import_function(&name, alias),
                _ => {}
            }
        }
    }

    fn declares(&mut self, node: Node<'_>) {
        let name = format!("namespace\\{}", self.field(node, "name"));
        let name = self.class(&name);
        let mut class = Class { name: name.clone(), ..Class::default() };
        for clause in
            children(node).filter(|child| matches!(child.kind(), "base_clause" | "class_interface_clause"))
        {
            class.parents.extend(children(clause).map(|parent| self.class(self.text(parent))));
        }
        let body = node.child_by_field_name("body");
        for member in body.into_iter().flat_map(children) {
            match member.kind() {
                "enum_case" => {
                    let name = self.field(member, "name");
                    let value = member.child_by_field_name("value").map(|value| self.value(value, DEPTH));
                    class.constants.insert(name.to_owned(), value.unwrap_or_else(|| Value::text(name)));
                }
                "const_declaration" => {
                    for element in children(member).filter(|child| child.kind() == "const_element") {
                        let mut parts = children(element);
                        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                            let value = self.value(value, DEPTH);
                            class.constants.insert(self.text(name).to_owned(), value);
                        }
                    }
                }
                _ => {}
            }
        }
        self.reader.file.declared.push(class);
    }

    /// Notes a parameter or property whose type is an API's class.
    fn typed(&mut self, of: &str, name: &str) {
        let of = of.trim_start_matches('?');
        if let Some(asker) = of.split('|').find_map(|one| asks::asker(&self.class(one.trim()))) {
            self.reader.askers.insert(name.trim_start_matches('$').to_owned(), asker);
        }
    }

    /// Notes an assignment such as `$flags = Flagstone::for($company)`.
    fn assigned(&mut self, node: Node<'_>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return;
        };
        if let Some(asker) = self.asker(right, DEPTH) {
            let name = self.text(left);
            let name = name.rsplit("->").next().unwrap_or(name).trim_start_matches('$').to_owned();
            self.reader.askers.insert(name, asker);
        }
    }

    fn function(&mut self, node: Node<'_>) {
        let written = self.field(node, "function");
        let Some(name) = self.reader.names.function(written) else { return };
        match name.strip_prefix("blade_") {
            Some("use") => self.blade_use(node),
            Some(directive) if asks::directive(directive) => self.first(node, format!("@{directive}")),
            Some(directive) if asks::gate(directive.trim_start_matches("else")) => self.gate(node),
            Some(_) => {}
            None if asks::function(&name) => self.first(node, format!("{name}()")),
            None => {}
        }
    }

    /// Reads `@use('App\Enums\Feature')`.
    fn blade_use(&mut self, node: Node<'_>) {
        let texts: Vec<_> = arguments(node).map(|argument| self.value(argument, DEPTH).literal()).collect();
        if let Some(Some(class)) = texts.first() {
            self.reader.names.import_class(class, texts.get(1).and_then(Option::as_deref));
        }
    }

    fn method(&mut self, node: Node<'_>) {
        let (name, Some(object)) = (self.field(node, "name"), node.child_by_field_name("object")) else {
            return;
        };
        let name = name.to_owned();
        if asks::gate(&name) {
            self.gate(node);
        }
        let asks = asks::of_company(&name)
            || asks::of_schedule(&name) && self.scheduled(object)
            || self.asker(object, DEPTH).is_some_and(|asker| asker.asks(&name));
        if asks {
            self.first(node, format!("->{name}()"));
        }
    }

    fn scoped(&mut self, node: Node<'_>) {
        let (written, name) = (self.field(node, "scope"), self.field(node, "name").to_owned());
        let class = self.class(written);
        if asks::all_of(&class, &name) {
            self.every(node, format!("{}::{name}()", names::short(&class)));
        } else if asks::gate(&name) {
            self.gate(node);
        }
        if let Some(asker) = asks::asker(&class)
            && asker.asks(&name)
        {
            self.first(node, format!("{}::{name}()", names::short(&class)));
        }
    }

    fn constructed(&mut self, node: Node<'_>) {
        let Some(class) =
            children(node).find(|child| matches!(child.kind(), "name" | "qualified_name" | "relative_name"))
        else {
            return;
        };
        let class = self.class(self.text(class));
        if asks::constructed(&class) {
            self.every(node, format!("new {}", names::short(&class)));
        }
    }

    /// Notes the first argument as a flag, or a list of flags.
    fn first(&mut self, node: Node<'_>, how: String) {
        let named = arguments_named(node).find(|(name, _)| {
            name.is_some_and(|name| matches!(self.text(name), "flag" | "feature" | "features"))
        });
        let first = named.or_else(|| arguments_named(node).find(|(name, _)| name.is_none()));
        if let Some((_, argument)) = first {
            self.flags(argument, &how);
        }
    }

    /// Notes every argument as a flag.
    fn every(&mut self, node: Node<'_>, how: String) {
        for argument in arguments(node) {
            self.flags(argument, &how);
        }
    }

    /// Notes `can('feature', 'customer_portal')`.
    fn gate(&mut self, node: Node<'_>) {
        let mut given = arguments(node);
        if let (Some(ability), Some(flag)) = (given.next(), given.next())
            && self.value(ability, DEPTH).literal().as_deref() == Some("feature")
        {
            self.flags(flag, "gate");
        }
    }

    fn flags(&mut self, node: Node<'_>, how: &str) {
        for value in self.values(node, DEPTH) {
            self.found(node, how.to_owned(), value, Split::Whole);
        }
    }

    /// Notes a string that names flags as a middleware or a validation rule does, in a place where one is expected.
    fn string(&mut self, node: Node<'_>, begins: &str) {
        let class = begins.replace("\\\\", "\\");
        if !asks::middleware(&class) && !begins.contains("feature:") {
            return;
        }
        // The whole concatenation around the string.
        let mut whole = node;
        while let Some(parent) = whole.parent().filter(|parent| is_concatenation(*parent, self.source)) {
            whole = parent;
        }
        let value = self.value(whole, DEPTH);
        match self.place(whole) {
            Some(Split::Middleware) if asks::middleware(&class) => {
                self.found(whole, "middleware", value, Split::Middleware)
            }
            Some(Split::Rule) => self.found(whole, "validation rule", value, Split::Rule),
            _ => {}
        }
    }

    /// The role of the string, by the call, key, property or method around it.
    fn place(&self, node: Node<'_>) -> Option<Split> {
        let middleware = |text: &str| text.to_ascii_lowercase().contains("middleware");
        let mut at = node;
        while let Some(parent) = at.parent() {
            let name = match parent.kind() {
                "member_call_expression" | "nullsafe_member_call_expression" | "scoped_call_expression" => {
                    self.field(parent, "name")
                }
                "function_call_expression" => self.field(parent, "function"),
                "object_creation_expression" | "attribute" | "property_element" => {
                    children(parent).next().map_or("", |name| self.text(name))
                }
                "array_element_initializer" => {
                    let key = children(parent).next().filter(|key| *key != at);
                    key.map_or("", |key| self.text(key))
                }
                "assignment_expression" => self.field(parent, "left"),
                "method_declaration" | "function_definition" => match self.field(parent, "name") {
                    "rules" => return Some(Split::Rule),
                    name if middleware(name) => return Some(Split::Middleware),
                    _ => return None,
                },
                _ => "",
            };
            if middleware(name) {
                return Some(Split::Middleware);
            }
            if parent.kind().ends_with("call_expression") && asks::validates(name) {
                return Some(Split::Rule);
            }
            at = parent;
        }
        None
    }

    /// The API that a call on the expression goes to.
    fn asker(&self, node: Node<'_>, depth: usize) -> Option<Asker> {
        let depth = depth.checked_sub(1)?;
        match node.kind() {
            "scoped_call_expression" => {
                let asker = asks::asker(&self.class(self.field(node, "scope")))?;
                asker.leads(self.field(node, "name")).then_some(asker)
            }
            "member_call_expression" | "nullsafe_member_call_expression" => {
                let name = self.field(node, "name");
                if name.eq_ignore_ascii_case("features") {
                    return Some(Asker::Flagstone);
                }
                if name.eq_ignore_ascii_case("make") || name.eq_ignore_ascii_case("get") {
                    return self.made(node);
                }
                let asker = self.asker(node.child_by_field_name("object")?, depth)?;
                asker.leads(name).then_some(asker)
            }
            "function_call_expression" => {
                match self.reader.names.function(self.field(node, "function")).as_deref() {
                    Some("app" | "resolve") => self.made(node),
                    _ => None,
                }
            }
            "variable_name" => self.reader.askers.get(self.text(node).trim_start_matches('$')).copied(),
            "member_access_expression" | "nullsafe_member_access_expression" => {
                self.reader.askers.get(self.field(node, "name")).copied()
            }
            "parenthesized_expression" => self.asker(children(node).next()?, depth),
            "assignment_expression" => self.asker(node.child_by_field_name("right")?, depth),
            _ => None,
        }
    }

    /// The API of `app(Flagstone::class)` or `app('flagstone')`.
    fn made(&self, node: Node<'_>) -> Option<Asker> {
        let what = self.value(arguments(node).next()?, DEPTH).literal()?;
        asks::asker(&what)
    }

    /// True if the call is on a task of the scheduler.
    fn scheduled(&self, object: Node<'_>) -> bool {
        let mut at = Some(object);
        while let Some(node) = at {
            let is = asks::scheduled(self.field(node, "name"));
            match node.kind() {
                "member_call_expression" | "scoped_call_expression" if is => return true,
                "member_call_expression" => at = node.child_by_field_name("object"),
                _ => return false,
            }
        }
        false
    }

    /// Possible values of the expression: each arm of a choice, each element of a list.
    fn values(&self, node: Node<'_>, depth: usize) -> Vec<Value> {
        let Some(depth) = depth.checked_sub(1) else { return vec![self.unknown(node)] };
        let arms: Vec<Node<'_>> = match node.kind() {
            "parenthesized_expression" => children(node).take(1).collect(),
            "conditional_expression" => {
                let body = node.child_by_field_name("body").or_else(|| node.child_by_field_name("condition"));
                body.into_iter().chain(node.child_by_field_name("alternative")).collect()
            }
            "binary_expression" if self.field(node, "operator") == "??" => {
                [node.child_by_field_name("left"), node.child_by_field_name("right")]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            "match_expression" => {
                let body = node.child_by_field_name("body");
                body.into_iter()
                    .flat_map(children)
                    .filter_map(|arm| arm.child_by_field_name("return_expression"))
                    .collect()
            }
            "array_creation_expression" => {
                let elements = children(node).filter(|child| child.kind() == "array_element_initializer");
                elements.filter_map(|element| children(element).last()).collect()
            }
            _ => return vec![self.value(node, depth)],
        };
        arms.into_iter().flat_map(|arm| self.values(arm, depth)).collect()
    }

    fn value(&self, node: Node<'_>, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return self.unknown(node) };
        match node.kind() {
            "string" => {
                let text = self.text(node);
                let inner = text
                    .trim_start_matches(['b', 'B'])
                    .strip_prefix('\'')
                    .and_then(|text| text.strip_suffix('\''));
                inner.map_or_else(|| self.unknown(node), |inner| Value::text(literal::single(inner)))
            }
            "encapsed_string" => self.pieces(node, node),
            "heredoc" | "nowdoc" => match node.child_by_field_name("value") {
                // The body is indented as its end is; no key has spaces at its ends.
                Some(body) => match self.pieces(node, body).literal() {
                    Some(text) => Value::text(text.trim()),
                    None => self.unknown(node),
                },
                None => Value::text(""),
            },
            "parenthesized_expression" => {
                children(node).next().map_or_else(|| self.unknown(node), |inner| self.value(inner, depth))
            }
            "binary_expression" if self.field(node, "operator") == "." => {
                let (Some(left), Some(right)) =
                    (node.child_by_field_name("left"), node.child_by_field_name("right"))
                else {
                    return self.unknown(node);
                };
                self.value(left, depth).join(self.value(right, depth), &self.shown(node))
            }
            "class_constant_access_expression" => self.constant(node),
            "member_access_expression" => self.of_case(node),
            _ => self.unknown(node),
        }
    }

    /// The value of a string in double quotes or a heredoc: known unless something is inserted into it.
    fn pieces(&self, whole: Node<'_>, body: Node<'_>) -> Value {
        let mut text = String::new();
        for part in children(body) {
            match part.kind() {
                "string_content" | "nowdoc_string" => text.push_str(self.text(part)),
                "escape_sequence" => match literal::escape(self.text(part)) {
                    Some(c) => text.push(c),
                    None => return self.unknown(whole),
                },
                _ => return self.unknown(whole),
            }
        }
        Value::text(text)
    }

    /// The value of `Feature::Portal`, `self::PORTAL`, `NewEditor::class`.
    fn constant(&self, node: Node<'_>) -> Value {
        let mut parts = children(node);
        let (Some(class), Some(name)) = (parts.next(), parts.next()) else { return self.unknown(node) };
        let (class, name) = (self.text(class), self.text(name));
        let class = match class.to_ascii_lowercase().as_str() {
            "self" | "static" => match self.enclosing(node) {
                Some(class) => class,
                None => return self.unknown(node),
            },
            _ if class.starts_with('$') || class.contains('(') => return self.unknown(node),
            _ => self.class(class),
        };
        match name.eq_ignore_ascii_case("class") {
            true => Value::text(class),
            false => Value::Known(vec![Part::Constant { class, name: name.to_owned() }]),
        }
    }

    /// The value of `Feature::Portal->value`, `Feature::Portal->name`.
    fn of_case(&self, node: Node<'_>) -> Value {
        let object = node.child_by_field_name("object");
        let Some(case) = object.filter(|object| object.kind() == "class_constant_access_expression") else {
            return self.unknown(node);
        };
        match self.field(node, "name") {
            "value" => self.constant(case),
            "name" => {
                children(case).nth(1).map_or_else(|| self.unknown(node), |name| Value::text(self.text(name)))
            }
            _ => self.unknown(node),
        }
    }

    /// The full name of the enclosing class.
    fn enclosing(&self, node: Node<'_>) -> Option<String> {
        let mut at = node;
        while let Some(parent) = at.parent() {
            if matches!(
                parent.kind(),
                "class_declaration" | "interface_declaration" | "trait_declaration" | "enum_declaration"
            ) {
                return Some(self.class(&format!("namespace\\{}", self.field(parent, "name"))));
            }
            at = parent;
        }
        None
    }

    fn unknown(&self, node: Node<'_>) -> Value {
        Value::Unknown(self.shown(node))
    }

    /// The source on one line, cut if it is long.
    fn shown(&self, node: Node<'_>) -> String {
        let text = self.text(node).split_whitespace().collect::<Vec<_>>().join(" ");
        let text = display::plain(&text).into_owned();
        match text.char_indices().nth(MAX_SHOWN_CHARACTERS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// The line of the first error in the tree, from 0.
fn error(node: Node<'_>) -> usize {
    let mut at = node;
    loop {
        let mut cursor = at.walk();
        let next = at.children(&mut cursor).find(|child| child.has_error() || child.is_missing());
        match next {
            Some(child) if !at.is_error() => at = child,
            _ => return at.start_position().row,
        }
    }
}

fn is_concatenation(node: Node<'_>, source: &str) -> bool {
    let operator =
        node.child_by_field_name("operator").and_then(|operator| source.get(operator.byte_range()));
    node.kind() == "parenthesized_expression" || node.kind() == "binary_expression" && operator == Some(".")
}

/// Named children except comments.
fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let mut cursor = node.walk();
    let all: Vec<Node<'_>> =
        node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect();
    all.into_iter()
}

/// A call's arguments, each with its name if it has one.
fn arguments_named(node: Node<'_>) -> impl Iterator<Item = (Option<Node<'_>>, Node<'_>)> {
    let list = node
        .child_by_field_name("arguments")
        .or_else(|| children(node).find(|child| child.kind() == "arguments"));
    let each = list.into_iter().flat_map(children).filter(|child| child.kind() == "argument");
    each.filter_map(|argument| Some((argument.child_by_field_name("name"), children(argument).last()?)))
}

fn arguments(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    arguments_named(node).map(|(_, argument)| argument)
}
