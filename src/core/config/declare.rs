//! How wire types are declared.

/// Declares a wire type of named members, each a `Field` or a `List`.
///
/// A member's name in the document stands behind `=` where it is not that in Rust. `schema(…)` is
/// for the published schema alone, as `schemars` has it; a member without `schema(default)` is one
/// that the schema requires, and the conversion to the model says so where it is absent.
macro_rules! object {
    (
        $(#[doc = $doc:tt])*
        $(#[schema($($schema:tt)*)])?
        pub struct $object:ident {
            $(
                $(#[doc = $member_doc:tt])*
                $(#[schema($($member_schema:tt)*)])?
                pub $member:ident: $type:ty $(= $name:tt)?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Default)]
        #[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
        $(#[cfg_attr(feature = "schema", schemars($($schema)*))])?
        pub struct $object {
            $(
                $(#[doc = $member_doc])*
                $(#[cfg_attr(feature = "schema", schemars($($member_schema)*))])?
                $(#[cfg_attr(feature = "schema", schemars(rename = $name))])?
                pub $member: $type,
            )*
        }

        impl $crate::config::reader::Object for $object {
            fn name(&self) -> &'static str {
                stringify!($object)
            }

            fn members(&self) -> &'static [&'static str] {
                &[$(object!(@name $member $($name)?)),*]
            }

            fn member(&mut self, index: usize) -> Option<&mut dyn $crate::config::reader::Member> {
                let members: [&mut dyn $crate::config::reader::Member; _] = [$(&mut self.$member),*];
                members.into_iter().nth(index)
            }
        }

        impl $crate::config::reader::Wire for $object {
            fn read(
                value: &Value,
                place: &$crate::config::place::Place<'_>,
            ) -> Result<Self, $crate::config::mistake::Wrong> {
                let mut object = Self::default();
                $crate::config::reader::read_object(&mut object, value, place)?;
                Ok(object)
            }
        }
    };
    (@name $member:ident) => {
        stringify!($member)
    };
    (@name $member:ident $name:tt) => {
        $name
    };
}

/// Declares a wire type that is one of several words, each behind its variant.
macro_rules! word {
    (
        $(#[doc = $doc:tt])*
        pub enum $word:ident {
            $(
                $(#[doc = $variant_doc:tt])*
                $variant:ident = $name:tt,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[allow(missing_docs, reason = "what a word says needs no words, and the schema would have them")]
        #[derive(Clone, Copy, Debug)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        pub enum $word {
            $(
                $(#[doc = $variant_doc])*
                #[cfg_attr(feature = "schema", schemars(rename = $name))]
                $variant,
            )*
        }

        impl $crate::config::reader::Wire for $word {
            fn read(
                value: &Value,
                _: &$crate::config::place::Place<'_>,
            ) -> Result<Self, $crate::config::mistake::Wrong> {
                $crate::config::reader::read_word(value, &[$(($name, Self::$variant)),*])
            }
        }
    };
}

pub(super) use {object, word};
